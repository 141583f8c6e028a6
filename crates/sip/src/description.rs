//! Reading a session description (RFC 8866): the lines that matter to us, wherever they stand and however they end. Phones
//! leave lines out, put them in another order and write spaces or zeros behind them; what is not read cannot be wrong.

/// A description, as far as it is read.
#[derive(Default)]
pub(crate) struct Description {
    /// Of the c= line of the session.
    connection: Option<String>,
    attributes: Vec<Attribute>,
    pub(crate) streams: Vec<Stream>,
}

/// An m= line and what belongs to it.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) kind: String,
    pub(crate) port: u16,
    pub(crate) protocol: String,
    /// Payload types, or what the protocol has instead.
    pub(crate) formats: Vec<String>,
    connection: Option<String>,
    attributes: Vec<Attribute>,
}

/// An a= line: its name, and what stands behind the colon, empty if there is none.
type Attribute = (String, String);

impl Description {
    /// None of what is no description: it does not begin with `v=0`.
    pub(crate) fn read(body: &[u8]) -> Option<Description> {
        let text = String::from_utf8_lossy(body);
        let mut lines = text.split(['\r', '\n']).map(trimmed).filter(|line| !line.is_empty());
        lines.next().filter(|first| *first == "v=0")?;
        let mut description = Description::default();
        // An m= line that cannot be read has what follows it, and no place in an answer.
        let mut unread = Stream::default();
        let mut is_unread = false;
        for (kind, value) in lines.filter_map(|line| line.split_once('=')).map(|(kind, value)| (kind, value.trim())) {
            let last = if is_unread { Some(&mut unread) } else { description.streams.last_mut() };
            let (connection, attributes) = match last {
                Some(stream) => (&mut stream.connection, &mut stream.attributes),
                None => (&mut description.connection, &mut description.attributes),
            };
            match kind {
                "m" => {
                    let stream = Stream::read(value);
                    is_unread = stream.is_none();
                    description.streams.extend(stream);
                }
                "c" => *connection = connection.take().or_else(|| address(value)),
                "a" => {
                    let (name, value) = value.split_once(':').unwrap_or((value, ""));
                    attributes.push((name.trim().to_owned(), value.trim().to_owned()));
                }
                _ => {}
            }
        }
        Some(description)
    }

    /// The address of a stream: its own, or the session's.
    pub(crate) fn address<'a>(&'a self, stream: &'a Stream) -> Option<&'a str> {
        stream.connection.as_ref().or(self.connection.as_ref()).map(String::as_str)
    }

    /// Attributes of a stream, then those of the session.
    pub(crate) fn attributes<'a>(&'a self, stream: &'a Stream) -> impl Iterator<Item = (&'a str, &'a str)> {
        pairs(&stream.attributes).chain(pairs(&self.attributes))
    }
}

impl Stream {
    fn read(value: &str) -> Option<Stream> {
        let mut words = value.split_whitespace();
        let kind = words.next()?.to_owned();
        // Behind a slash stands how many ports there are.
        let port = words.next()?.split('/').next()?.parse().ok()?;
        let protocol = words.next()?.to_owned();
        let formats = words.map(str::to_owned).collect();
        // It may be repeated in a line of ours.
        let is_text = !value.contains(char::is_control);
        is_text.then_some(Stream { kind, port, protocol, formats, ..Stream::default() })
    }

    /// The stream's own attributes of that name.
    pub(crate) fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        pairs(&self.attributes).filter(move |(of, _)| *of == name).map(|(_, value)| value)
    }
}

fn pairs(attributes: &[Attribute]) -> impl Iterator<Item = (&str, &str)> {
    attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

/// Of `IN IP4 192.0.2.1`.
fn address(connection: &str) -> Option<String> {
    connection.split_whitespace().nth(2).map(str::to_owned)
}

fn trimmed(line: &str) -> &str {
    line.trim_matches(|letter: char| letter.is_whitespace() || letter == '\0')
}

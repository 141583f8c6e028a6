//! What a flow learnt about a call.

/// Fields of one call, at most `limit::DATA` bytes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Data {
    /// In the order of their names, each name once.
    pub(crate) fields: Vec<(String, Value)>,
}

/// What a field may hold.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Value {
    /// UTF-8.
    Text(String),
    /// A whole number.
    Number(i64),
    /// Yes or no.
    Truth(bool),
    /// Sealed under the cluster's data key before it came into an entry.
    Sealed(Vec<u8>),
}

/// A field that a step set, or took away.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Change {
    /// Which field.
    pub name: String,
    /// What it holds now; none: it is gone.
    pub value: Option<Value>,
}

impl Data {
    /// What a field holds; none if no step has set it.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.fields.binary_search_by(|(known, _)| known.as_str().cmp(name)).ok()?;
        Some(&self.fields[at].1)
    }

    /// By name.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Whether nothing was learnt.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    pub(crate) fn change(&mut self, change: &Change) {
        let at = self.fields.binary_search_by(|(known, _)| known.cmp(&change.name));
        match (at, &change.value) {
            (Ok(at), Some(value)) => self.fields[at].1 = value.clone(),
            (Ok(at), None) => drop(self.fields.remove(at)),
            (Err(at), Some(value)) => self.fields.insert(at, (change.name.clone(), value.clone())),
            (Err(_), None) => {}
        }
    }

    /// Bytes of names and values.
    pub(crate) fn size(&self) -> usize {
        self.fields.iter().map(|(name, value)| name.len() + value.size()).sum()
    }
}

impl Value {
    fn size(&self) -> usize {
        match self {
            Value::Text(text) => text.len(),
            Value::Sealed(bytes) => bytes.len(),
            Value::Number(_) => size_of::<i64>(),
            Value::Truth(_) => 1,
        }
    }
}

//! Lists of leads as they come.

use strowger_dialer::{LineFault, ReadLead, Reading, read_leads};
use strowger_model::config::LeadColumns;

const BERLIN: Option<&str> = Some("Europe/Berlin");

fn columns() -> LeadColumns {
    LeadColumns { number: "number".into(), zone: Some("zone".into()) }
}

fn read(text: &str) -> Reading {
    read_leads(text, None, &columns(), BERLIN, 1)
}

fn said(faults: &[LineFault]) -> Vec<(u64, &str, &str)> {
    faults.iter().map(|fault| (fault.line, fault.value.as_str(), fault.why.as_str())).collect()
}

fn numbers(leads: &[ReadLead]) -> Vec<String> {
    leads.iter().map(|lead| lead.number.to_string()).collect()
}

fn fields(lead: &ReadLead) -> Vec<(&str, &str)> {
    lead.fields.iter().map(|(name, value)| (&**name, value.as_str())).collect()
}

#[test]
fn a_list_has_numbers_zones_and_what_else_it_has() {
    let reading =
        read("name,number,zone,note\nAnna,+44 20 7183 8750,Europe/London,\"says \"\"hi\"\"\"\nBert,+493012345678,,\n");
    assert_eq!(said(&reading.faults), []);
    let [anna, bert] = &reading.leads[..] else { panic!("{reading:?}") };
    assert_eq!(
        (anna.number.to_string().as_str(), anna.zone.as_str(), anna.line),
        ("+442071838750", "Europe/London", 2)
    );
    assert_eq!(fields(anna), [("name", "Anna"), ("note", "says \"hi\"")]);
    assert_eq!((bert.zone.as_str(), bert.line), ("Europe/Berlin", 3));
    assert_eq!(reading.next_line, 4);
}

#[test]
fn spreadsheets_write_semicolons_byte_order_marks_and_carriage_returns() {
    let reading =
        read("\u{feff}Number ; Zone;\"name, first\"\r\n\r\n 0044 20 7183 8750;europe/london;\"Anna; really\"\r\n");
    assert_eq!(said(&reading.faults), []);
    assert_eq!(numbers(&reading.leads), ["+442071838750"]);
    assert_eq!((reading.leads[0].zone.as_str(), reading.leads[0].line), ("Europe/London", 3));
    assert_eq!(fields(&reading.leads[0]), [("name, first", "Anna; really")]);
}

/// Of what is read the spaces around it are no part; what is only kept stays as it was written.
#[test]
fn spaces_around_numbers_and_zones_are_passed_over() {
    let reading = read("number, zone ,name\n +442071838750 , Europe/London , Anna \n+493012345678,  ,Bert\n");
    assert_eq!(said(&reading.faults), []);
    let [anna, bert] = &reading.leads[..] else { panic!("{reading:?}") };
    assert_eq!((anna.zone.as_str(), bert.zone.as_str()), ("Europe/London", "Europe/Berlin"));
    assert_eq!(fields(anna), [("name", " Anna ")]);
}

/// A list of a spreadsheet's "text", one of a dialler's export, and columns that were empty in the sheet.
#[test]
fn columns_are_separated_in_four_ways_and_empty_ones_are_none() {
    for text in [
        "number\tname\tnote\n+442071838750\tAnna, really\tx;y\n",
        "number|name|note\n+442071838750|Anna, really|x;y\n",
        "number;name;note;;\n+442071838750;Anna, really;\"x;y\";;\n",
        "number;name;note\n+442071838750;Anna, really;\"x;y\"; ;\n",
    ] {
        let reading = read(text);
        assert_eq!(said(&reading.faults), [], "{text:?}");
        assert_eq!(fields(&reading.leads[0]), [("name", "Anna, really"), ("note", "x;y")], "{text:?}");
    }
    let reading = read("number,name,,\n+442071838750,Anna,,x\n+493012345678,Bert,,\n");
    assert_eq!(
        said(&reading.faults),
        [(2, "+442071838750,Anna,,x", "`x` stands in a column that the first line does not name")]
    );
    assert_eq!(numbers(&reading.leads), ["+493012345678"]);
}

#[test]
fn a_list_may_have_numbers_only() {
    assert_eq!(numbers(&read("number\n+442071838750\n+493012345678").leads), ["+442071838750", "+493012345678"]);
    let columns = LeadColumns { number: "phone".into(), zone: None };
    let reading = read_leads("zone,phone\nx,+442071838750", None, &columns, BERLIN, 1);
    assert_eq!((reading.leads[0].zone.as_str(), fields(&reading.leads[0])), ("Europe/Berlin", vec![("zone", "x")]));
}

#[test]
fn every_bad_line_is_told_and_no_good_one_is_lost() {
    let text = "number,zone,name\n\
        020 7183 8750,,national\n\
        +442071838750,,good\n\
        +44207183,,short\n\
        ,,nothing\n\
        +493012345678,Europe/Londres,nowhere\n\
        +493012345678,\n\
        +493012345678,,a,b\n\
        \"+493012345678\"x,,\n\
        0044 20 71838750,,again\n\
        +493012345678,,good\n\
        +493012345679,,\"open\n\
        +493012345670,,good\n";
    let reading = read(text);
    assert_eq!(
        said(&reading.faults),
        [
            (
                2,
                "020 7183 8750",
                "a number without its country: write + and the country code before it, for example +442071838750"
            ),
            (
                4,
                "+44207183",
                "the numbering plan of country code 44 has no such number: a digit too many, too few or wrong"
            ),
            (5, "", "there is no number"),
            (
                6,
                "Europe/Londres",
                "there is no time zone `Europe/Londres`: write an IANA name, for example Europe/Berlin"
            ),
            (7, "+493012345678,", "2 columns, but the first line has 3"),
            (8, "+493012345678,,a,b", "`b` stands in a column that the first line does not name"),
            (9, "\"+493012345678\"x,,", "text follows a closing quote: write \"\" for a quote within quotes"),
            (
                12,
                "+493012345679,,\"open",
                "a quote is opened and not closed: close it, or write \"\" for a quote within quotes"
            ),
        ]
    );
    assert_eq!(numbers(&reading.leads), ["+442071838750", "+493012345678", "+493012345670"]);
    let again = (10, "+442071838750", "this number stands in an earlier line");
    assert_eq!(said(&reading.duplicates), [again]);
}

#[test]
fn nothing_is_dialled_without_knowing_the_hour() {
    let reading = read_leads("number,zone\n+442071838750,\n+493012345678,Europe/Berlin\n", None, &columns(), None, 1);
    assert_eq!(numbers(&reading.leads), ["+493012345678"]);
    let [fault] = &reading.faults[..] else { panic!("{reading:?}") };
    assert_eq!((fault.line, fault.value.as_str()), (2, "+442071838750"));
    assert!(fault.why.starts_with("no time zone: nothing may be dialled without knowing the lead's hour"));
}

#[test]
fn a_list_that_does_not_say_what_is_what_is_not_read() {
    for (text, value, why) in [
        ("", "", "the list is empty"),
        ("\n\n", "", "the list is empty"),
        (
            "phone,name\n+442071838750,Anna",
            "phone,name",
            "the first line names no column `number` (2 columns were read in it): add it, or write the campaign's columns",
        ),
        (
            "number:name\n+442071838750:Anna",
            "number:name",
            "the first line names no column `number` (one column was read in it; between columns stands , ; | or a tab): \
             add it, or write the campaign's columns",
        ),
        (
            "sep=;\nnumber;name\n",
            "sep=;",
            "this line is for spreadsheets: delete it, so that the list begins with the columns' names",
        ),
        ("number,Number,name\n", "number,Number,name", "two columns are named `Number`: give one another name"),
        ("number,a,a\n", "number,a,a", "two columns are named `a`: give one another name"),
        (
            "\"number\n+442071838750",
            "\"number",
            "a quote is opened and not closed: close it, or write \"\" for a quote within quotes",
        ),
    ] {
        let reading = read(text);
        assert_eq!((said(&reading.faults), reading.header), (vec![(1, value, why)], None), "{text:?}");
    }
}

/// What separates the most columns; what stands in quotes separates none.
#[test]
fn the_first_line_says_what_separates_columns() {
    let name = |text: &str| -> Vec<String> {
        read(text).header.map(|header| header.names().map(str::to_owned).collect()).unwrap_or_default()
    };
    assert_eq!(name("number,a;b\n"), ["number", "a;b"], "commas when in doubt");
    assert_eq!(name("number;\"a,b,c\"\n"), ["number", "a,b,c"]);
    assert_eq!(name("a;b,c;number\n"), ["a", "b,c", "number"]);
}

/// A list may come in parts, and a number twice in the whole: that the table tells. In one part the first line counts.
#[test]
fn of_a_number_that_stands_there_twice_the_first_line_counts() {
    let reading = read("number,zone,name\n+442071838750,,Anna\n+442071838750,Europe/London,Bert\n");
    assert_eq!(
        reading.leads.iter().map(|lead| (lead.line, lead.zone.as_str())).collect::<Vec<_>>(),
        [(2, "Europe/Berlin")]
    );
    assert_eq!(said(&reading.duplicates), [(3, "+442071838750", "this number stands in an earlier line")]);
    // A zone that nobody knows is told on each of its lines.
    let reading = read("number,zone\n+442071838750,Nowhere\n+442071838751,Nowhere\n+442071838752,\n");
    assert_eq!(reading.faults.iter().map(|fault| fault.line).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(numbers(&reading.leads), ["+442071838752"]);
}

#[test]
fn a_list_in_parts_reads_as_in_one() {
    let header = "number;name\n";
    let lines: Vec<String> = (0..90).map(|at| format!("+4420718387{at:02};\"lead, {at}\"\n")).collect();
    let whole = read(&(header.to_owned() + &lines.concat()));
    let mut parts = read(header);
    for chunk in lines.chunks(7) {
        let part = read_leads(&chunk.concat(), parts.header.as_ref(), &columns(), BERLIN, parts.next_line);
        parts.leads.extend(part.leads);
        parts.next_line = part.next_line;
    }
    assert_eq!(whole.leads.len(), 90);
    assert_eq!((parts.leads, parts.next_line, parts.header), (whole.leads, whole.next_line, whole.header));
}

#[test]
fn long_lists_are_read_whole_and_long_lines_told_in_short() {
    let mut text = String::from("number,name\n");
    for at in 0..3000 {
        text.push_str(&format!("+49301{at:07},lead {at}\n"));
    }
    text.push_str(&format!("{},\n", "ж".repeat(100_000)));
    let reading = read(&text);
    assert_eq!((reading.leads.len(), reading.faults.len(), reading.next_line), (3000, 1, 3003));
    assert_eq!(reading.faults[0].value.chars().count(), 81);
}

/// Whatever bytes come, it says something and goes on.
#[test]
fn no_text_breaks_it() {
    let pieces = ["\"", ",", ";", "\n", "\r\n", "number", "+442071838750", "zone", "é", "00", "\u{feff}", " "];
    let mut dice: u64 = 1;
    for _ in 0..2000 {
        let mut text = String::new();
        for _ in 0..12 {
            dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(dice >> 33) as usize % pieces.len()]);
        }
        let reading = read(&text);
        assert!(reading.header.is_some() || !reading.faults.is_empty(), "{text:?}");
        read(&format!("number,zone\n{text}"));
    }
}

/// Where a list begins in a file is what its faults are counted from.
#[test]
fn lines_are_counted_from_where_the_list_begins() {
    let from = |text| read_leads(text, None, &columns(), BERLIN, 7);
    let reading = from("number,zone\n+442071838750,\n12,\n");
    assert_eq!((reading.leads[0].line, reading.faults[0].line, reading.next_line), (8, 9, 10));
    assert_eq!(from("phone\n").faults[0].line, 7);
    assert_eq!((from("").faults[0].line, from("").next_line), (7, 7));
}

/// A fault shows so much of what stands there that a person finds it.
#[test]
fn what_is_shown_of_a_line_is_cut_where_it_gets_long() {
    let shown = |long: usize| {
        let text = format!("number,zone\n{},\n", "x".repeat(long));
        read(&text).faults.remove(0).value
    };
    assert_eq!(shown(80), "x".repeat(80));
    assert_eq!(shown(81), format!("{}…", "x".repeat(80)));
}

/// The campaign's zone may be wrong as well: it is told with the number, for the line names no zone.
#[test]
fn a_campaigns_zone_that_nobody_knows_is_told_with_the_number() {
    let reading = read_leads("number,zone\n+442071838750,\n", None, &columns(), Some("Nowhere"), 1);
    let [fault] = &reading.faults[..] else { panic!("{reading:?}") };
    assert_eq!((fault.value.as_str(), fault.why.contains("`Nowhere`")), ("+442071838750", true));
    assert_eq!(reading.leads, []);
}

/// Columns are found by their names in any case, and only by whole names.
#[test]
fn columns_are_found_by_their_names() {
    let columns = LeadColumns { number: "Phone".into(), zone: Some("Time Zone".into()) };
    let reading = read_leads("zone,PHONE,time zone,phones\nx,+442071838750,Asia/Tokyo,y\n", None, &columns, None, 1);
    assert_eq!(said(&reading.faults), []);
    assert_eq!(reading.leads[0].zone, "Asia/Tokyo");
    assert_eq!(fields(&reading.leads[0]), [("zone", "x"), ("phones", "y")]);
    let header = reading.header.expect("it was read");
    assert!(header.names().eq(["zone", "PHONE", "time zone", "phones"]));
}

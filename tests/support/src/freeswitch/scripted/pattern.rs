//! The regular expressions of the dialplan, as far as dialplans use them: with groups that can be
//! referred back to, which a search in linear time cannot offer.

/// A compiled expression.
#[derive(Debug)]
pub(super) struct Pattern {
    alternatives: Alternatives,
    groups: usize,
}

type Alternatives = Vec<Vec<Piece>>;

#[derive(Debug)]
struct Piece {
    atom: Atom,
    least: usize,
    most: usize,
    greedy: bool,
}

#[derive(Debug)]
enum Atom {
    One(char),
    Any,
    Set {
        ranges: Vec<(char, char)>,
        negated: bool,
    },
    Begin,
    End,
    Group {
        alternatives: Alternatives,
        number: Option<usize>,
    },
    Back(usize),
}

/// Where each group begins and ends.
type Groups = Vec<Option<(usize, usize)>>;

impl Pattern {
    /// Compiles an expression; the error says what is not understood.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut reader = Reader {
            rest: text.chars().collect(),
            at: 0,
            groups: 0,
        };
        let alternatives = reader.alternatives()?;
        if reader.at < reader.rest.len() {
            return Err(format!("the expression {text} has a bracket too many"));
        }
        Ok(Self {
            alternatives,
            groups: reader.groups,
        })
    }

    /// Looks for the expression anywhere in the text; the whole match is group 0.
    pub(super) fn find(&self, text: &str) -> Option<Vec<String>> {
        let text: Vec<char> = text.chars().collect();
        for start in 0..=text.len() {
            let mut groups: Groups = vec![None; self.groups + 1];
            let mut end = None;
            let mut over = |at: usize, _: &mut Groups| {
                end = Some(at);
                true
            };
            if any(&self.alternatives, &text, start, &mut groups, &mut over) {
                groups[0] = end.map(|end| (start, end));
                let piece = |group: Option<(usize, usize)>| {
                    group.map_or(String::new(), |(from, to)| text[from..to].iter().collect())
                };
                return Some(groups.into_iter().map(piece).collect());
            }
        }
        None
    }
}

type Next<'a> = &'a mut dyn FnMut(usize, &mut Groups) -> bool;

fn any(
    alternatives: &Alternatives,
    text: &[char],
    at: usize,
    groups: &mut Groups,
    next: Next<'_>,
) -> bool {
    alternatives
        .iter()
        .any(|pieces| row(pieces, text, at, groups, next))
}

fn row(pieces: &[Piece], text: &[char], at: usize, groups: &mut Groups, next: Next<'_>) -> bool {
    match pieces.split_first() {
        None => next(at, groups),
        Some((piece, rest)) => repeat(piece, 0, rest, text, at, groups, next),
    }
}

fn repeat(
    piece: &Piece,
    done: usize,
    rest: &[Piece],
    text: &[char],
    at: usize,
    groups: &mut Groups,
    next: Next<'_>,
) -> bool {
    let kept = groups.clone();
    if !piece.greedy && done >= piece.least {
        if row(rest, text, at, groups, next) {
            return true;
        }
        groups.clone_from(&kept);
    }
    if done < piece.most {
        let mut again = |after: usize, groups: &mut Groups| {
            // What matches nothing is not repeated for ever.
            (after > at || done < piece.least)
                && repeat(piece, done + 1, rest, text, after, groups, next)
        };
        if one(&piece.atom, text, at, groups, &mut again) {
            return true;
        }
        groups.clone_from(&kept);
    }
    piece.greedy && done >= piece.least && row(rest, text, at, groups, next)
}

fn one(atom: &Atom, text: &[char], at: usize, groups: &mut Groups, next: Next<'_>) -> bool {
    let here = text.get(at).copied();
    match atom {
        Atom::One(wanted) => here == Some(*wanted) && next(at + 1, groups),
        Atom::Any => here.is_some() && next(at + 1, groups),
        Atom::Set { ranges, negated } => {
            let found = |c: char| ranges.iter().any(|(from, to)| (*from..=*to).contains(&c));
            here.is_some_and(|c| found(c) != *negated) && next(at + 1, groups)
        }
        Atom::Begin => at == 0 && next(at, groups),
        Atom::End => at == text.len() && next(at, groups),
        Atom::Group {
            alternatives,
            number,
        } => {
            let mut close = |after: usize, groups: &mut Groups| {
                let Some(number) = *number else {
                    return next(after, groups);
                };
                let old = groups[number].replace((at, after));
                let found = next(after, groups);
                if !found {
                    groups[number] = old;
                }
                found
            };
            any(alternatives, text, at, groups, &mut close)
        }
        Atom::Back(number) => match groups.get(*number).copied().flatten() {
            Some((from, to)) => {
                let length = to - from;
                text.get(at..at + length) == text.get(from..to) && next(at + length, groups)
            }
            None => false,
        },
    }
}

struct Reader {
    rest: Vec<char>,
    at: usize,
    groups: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn alternatives(&mut self) -> Result<Alternatives, String> {
        let mut all = vec![Vec::new()];
        while let Some(c) = self.peek().filter(|c| *c != ')') {
            if c == '|' {
                self.at += 1;
                all.push(Vec::new());
                continue;
            }
            let atom = self.atom()?;
            let (least, most) = self.times()?;
            let greedy = !((least, most) != (1, 1) && self.take('?'));
            if let Some(row) = all.last_mut() {
                row.push(Piece {
                    atom,
                    least,
                    most,
                    greedy,
                });
            }
        }
        Ok(all)
    }

    fn atom(&mut self) -> Result<Atom, String> {
        let c = self.peek().unwrap_or_default();
        self.at += 1;
        Ok(match c {
            '^' => Atom::Begin,
            '$' => Atom::End,
            '.' => Atom::Any,
            '[' => self.set()?,
            '(' => {
                let number = if self.take('?') {
                    if !self.take(':') {
                        return Err("only (?:…) is understood after (?".to_owned());
                    }
                    None
                } else {
                    self.groups += 1;
                    Some(self.groups)
                };
                let alternatives = self.alternatives()?;
                if !self.take(')') {
                    return Err("a bracket is not closed".to_owned());
                }
                Atom::Group {
                    alternatives,
                    number,
                }
            }
            '\\' => self.escape()?,
            '*' | '+' | '?' => return Err(format!("{c} has nothing to repeat")),
            c => Atom::One(c),
        })
    }

    fn escape(&mut self) -> Result<Atom, String> {
        let c = self.peek().ok_or("a backslash stands at the end")?;
        self.at += 1;
        Ok(match c {
            '1'..='9' => Atom::Back(c.to_digit(10).unwrap_or(0) as usize),
            'd' | 'D' | 'w' | 'W' | 's' | 'S' => Atom::Set {
                ranges: class(c.to_ascii_lowercase()),
                negated: c.is_ascii_uppercase(),
            },
            c if c.is_ascii_alphanumeric() => return Err(format!("\\{c} is not understood")),
            c => Atom::One(c),
        })
    }

    fn set(&mut self) -> Result<Atom, String> {
        let negated = self.take('^');
        let mut ranges = Vec::new();
        loop {
            let c = self.peek().ok_or("a set is not closed")?;
            self.at += 1;
            match c {
                ']' if !ranges.is_empty() => return Ok(Atom::Set { ranges, negated }),
                '\\' => match self.escape()? {
                    Atom::One(c) => ranges.push((c, c)),
                    Atom::Set {
                        ranges: class,
                        negated: false,
                    } => ranges.extend(class),
                    _ => return Err("a set holds what is not understood".to_owned()),
                },
                from => {
                    let ahead = self.rest.get(self.at + 1).copied();
                    if self.peek() == Some('-') && ahead.is_some_and(|to| to != ']') {
                        self.at += 2;
                        ranges.push((from, ahead.unwrap_or(from)));
                    } else {
                        ranges.push((from, from));
                    }
                }
            }
        }
    }

    fn times(&mut self) -> Result<(usize, usize), String> {
        if self.take('*') {
            return Ok((0, usize::MAX));
        }
        if self.take('+') {
            return Ok((1, usize::MAX));
        }
        if self.take('?') {
            return Ok((0, 1));
        }
        if !self.take('{') {
            return Ok((1, 1));
        }
        let end = self.rest[self.at..].iter().position(|c| *c == '}');
        let end = self.at + end.ok_or("a brace is not closed")?;
        let text: String = self.rest[self.at..end].iter().collect();
        self.at = end + 1;
        let number = |text: &str| {
            text.parse::<usize>()
                .map_err(|_| format!("{{{text}}} is no number"))
        };
        match text.split_once(',') {
            None => number(&text).map(|times| (times, times)),
            Some((least, "")) => Ok((number(least)?, usize::MAX)),
            Some((least, most)) => Ok((number(least)?, number(most)?)),
        }
    }
}

fn class(name: char) -> Vec<(char, char)> {
    match name {
        'd' => vec![('0', '9')],
        'w' => vec![('a', 'z'), ('A', 'Z'), ('0', '9'), ('_', '_')],
        _ => vec![(' ', ' '), ('\t', '\r')],
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn groups(pattern: &str, text: &str) -> Option<Vec<String>> {
        Pattern::new(pattern).unwrap().find(text)
    }

    #[test]
    fn what_dialplans_ask_is_found() {
        assert!(groups(r"\S", " x").is_some());
        assert!(groups(r"\S", " \t").is_none());
        assert_eq!(groups(r"^\+?(\d{2,4})$", "+4512").unwrap()[1], "4512");
        assert!(groups(r"^\+?(\d{2,4})$", "45123").is_none());
        assert!(groups(r"^(left|time-is-up)$", "time-is-up").is_some());
        assert!(groups(r"^true/\S", "true/a@default").is_some());
        assert!(groups(r"^([0-9A-Za-z+*#_.\-]{1,64})$", "70-10").is_some());
        assert!(groups(r"(^|[ /:])(\+45|0045)?11[24]($|[ @])", "1 sofia/x/+45112").is_some());
        assert!(groups(r"(^|[ /:])(\+45|0045)?11[24]($|[ @])", "1 sofia/x/+451123").is_none());
    }

    #[test]
    fn a_group_can_be_referred_back_to() {
        let same = r"^([^|]+)\|\1$";
        assert!(groups(same, "a@default|a@default").is_some());
        assert!(groups(same, "a@default|b@default").is_none());
        assert!(groups(same, "|").is_none());
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for wrong in ["(", "[", "a{", r"\b", "(?=x)", "*", "a)"] {
            assert!(Pattern::new(wrong).is_err(), "{wrong}");
        }
    }
}

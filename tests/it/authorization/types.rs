//! The rest of the matrix: every field of every type that has no ids, such as amounts, points and payloads.
//!
//! What leads to such a type is found by following the schema from the calls of the table and from every type behind
//! `node(id)`: a way for the least role that has one, and by queries where there is one. A way counts once an
//! administrator has come to a thing of the type by it, so a list that is empty leads nowhere. Then every field is asked
//! for over that way by every role, and by nobody. A type that nothing leads to is as wrong as a cell.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use async_graphql::parser::types::{FieldDefinition, TypeDefinition, TypeKind};
use roundtrip::domain::operator::Role;
use roundtrip::graphql::schema::sdl;
use serde_json::{Value, json};

use super::{ARGUMENTS, Known, NODES, Row, TABLE, Types, arguments, call_of, is_node, named, role_of, types_of};
use crate::support::admin::Bearer;
use crate::support::databases::tamper;

/// Types that no cell is made for, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("Query", "each field has its row in the table"),
    ("Mutation", "each field has its row in the table"),
    ("Subscription", "asked for over a socket: live.rs"),
    ("ConversionStreamItem", "comes over a socket: live.rs"),
    ("ReceiptStreamItem", "comes over a socket: live.rs"),
    ("StreamGap", "comes over a socket: live.rs"),
];

/// What leads to things of one type.
struct Way {
    to: String,
    is_mutation: bool,
    /// Each inside the selection of the one before.
    calls: Vec<String>,
    /// The names that lead there in the answer.
    names: Vec<String>,
    /// Who may go it and ask for what is not guarded there.
    least: Role,
}

/// By what comes first: the least role, queries, the shortest, and then the order in which they were found.
#[derive(Default)]
struct Ways {
    due: BTreeMap<(Role, bool, usize, usize), Way>,
    found: usize,
}

/// What was asked, and what of it was wrong.
#[derive(Default)]
struct Told {
    types: BTreeSet<String>,
    fields: usize,
    cells: usize,
    /// Cells that are not as the schema says, and types without cells; each with what there was instead.
    wrong: BTreeMap<String, String>,
}

impl Way {
    fn root(types: &Types, is_mutation: bool, call: &str) -> Option<Self> {
        let root = if is_mutation { "Mutation" } else { "Query" };
        let name = call.split(['(', ' ']).next().unwrap();
        let field = fields(types, root).find(|field| field.name.node == name)?;
        let start =
            Self { to: root.to_owned(), is_mutation, calls: Vec::new(), names: Vec::new(), least: Role::Viewer };
        start.on(types, field, call.to_owned())
    }

    /// To a thing of this type by its id.
    fn node(types: &Types, to: &str, id: &str) -> Option<Self> {
        let least = role_of(&types.get(to)?.directives).unwrap_or(Role::Viewer);
        let calls = vec![format!("node(id: \"{id}\")"), format!("... on {to}")];
        Some(Self { to: to.to_owned(), is_mutation: false, calls, names: vec!["node".to_owned()], least })
    }

    /// One field further, where that leads to an object.
    fn on(&self, types: &Types, field: &FieldDefinition, call: String) -> Option<Self> {
        let to = named(&field.ty.node).to_owned();
        let of = types.get(&to).filter(|of| matches!(of.kind, TypeKind::Object(_)))?;
        let guards = role_of(&field.directives).max(role_of(&of.directives));
        Some(Self {
            to,
            is_mutation: self.is_mutation,
            calls: [self.calls.clone(), vec![call]].concat(),
            names: [self.names.clone(), vec![field.name.node.to_string()]].concat(),
            least: guards.map_or(self.least, |guard| guard.max(self.least)),
        })
    }

    fn document(&self, selection: &str) -> String {
        let operation = if self.is_mutation { "mutation" } else { "query" };
        let calls = self.calls.join(" { ");
        format!("{operation} {{ {calls} {{ __typename {selection} }}{}", " }".repeat(self.calls.len()))
    }

    /// The things in an answer that it leads to.
    fn things<'a>(&self, answer: &'a Value) -> Vec<&'a Value> {
        let mut things = vec![&answer["data"]];
        for name in &self.names {
            things = things.into_iter().flat_map(each).filter_map(|thing| thing.get(name)).collect();
        }
        things.into_iter().flat_map(each).filter(|thing| thing["__typename"] == *self.to).collect()
    }
}

/// A thing, or all of a list.
fn each(value: &Value) -> &[Value] {
    value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice)
}

impl Ways {
    /// From the calls of the table, and by ids.
    fn beginnings(types: &Types) -> Self {
        let mut ways = Self::default();
        for Row(name, _, document) in TABLE {
            if let Some(is_mutation) = root_of(name) {
                ways.extend(Way::root(types, is_mutation, call(document)));
            }
        }
        ways.extend(NODES.iter().filter_map(|(to, id)| Way::node(types, to, id)));
        ways
    }

    fn extend(&mut self, ways: impl IntoIterator<Item = Way>) {
        for way in ways {
            self.found += 1;
            self.due.insert((way.least, way.is_mutation, way.calls.len(), self.found), way);
        }
    }

    fn next(&mut self) -> Option<Way> {
        self.due.pop_first().map(|(_, way)| way)
    }

    fn further(&mut self, types: &Types, way: &Way) {
        let further = fields(types, &way.to)
            .filter_map(|field| way.on(types, field, format!("{}{}", field.name.node, arguments(&way.to, field))));
        self.extend(further);
    }
}

/// Is the row of a mutation, or that of a query? `None` for other rows.
fn root_of(name: &str) -> Option<bool> {
    match name.split_once('.')?.0 {
        "Mutation" => Some(true),
        "Query" => Some(false),
        _ => None,
    }
}

/// The call of a document, without its selection.
fn call(document: &str) -> &str {
    let call = document.trim_start_matches("mutation").trim_start().strip_prefix('{').unwrap();
    let mut depth = 0;
    let end = call.find(|letter| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        depth == 0 && matches!(letter, '{' | '}')
    });
    call[..end.unwrap()].trim()
}

fn fields<'a>(types: &'a Types, of: &str) -> impl Iterator<Item = &'a FieldDefinition> {
    let object = types.get(of).and_then(|of| if let TypeKind::Object(object) = &of.kind { Some(object) } else { None });
    object.into_iter().flat_map(|object| object.fields.iter().map(|field| &field.node))
}

/// The least role that comes to each type, if everything on the way is there.
fn least_roles(types: &Types) -> BTreeMap<String, Role> {
    let (mut ways, mut least) = (Ways::beginnings(types), BTreeMap::new());
    while let Some(way) = ways.next() {
        if let Entry::Vacant(entry) = least.entry(way.to.clone()) {
            entry.insert(way.least);
            ways.further(types, &way);
        }
    }
    least
}

/// Asks for every field of every type without ids that this schema has.
async fn ask_for_everything(known: &Known, sdl: &str) -> Told {
    let types = types_of(sdl);
    let is_elsewhere = |name: &str| ELSEWHERE.iter().any(|(of, _)| *of == name);
    let is_wanted = |(name, of): (&String, &TypeDefinition)| {
        let TypeKind::Object(object) = &of.kind else { return None };
        (!is_node(object) && !is_elsewhere(name)).then(|| name.clone())
    };
    let wanted: BTreeSet<String> = types.iter().filter_map(is_wanted).collect();
    let least = least_roles(&types);
    let (mut ways, mut told) = (Ways::beginnings(&types), Told::default());
    let mut tried: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(way) = ways.next() {
        if told.types.contains(&way.to) || way.least > least[&way.to] {
            continue;
        }
        let document = way.document("");
        let (answer, _) = known.told(Bearer::Person(Role::Admin), &document).await;
        if way.things(&answer).is_empty() {
            tried.entry(way.to).or_default().push(document);
            continue;
        }
        if wanted.contains(&way.to) {
            ask_for_fields(known, &types, &way, &mut told).await;
        }
        ways.further(&types, &way);
        told.types.insert(way.to);
    }
    for name in &wanted {
        if !told.types.contains(name) {
            told.wrong.insert(name.clone(), format!("nothing was found by {:?}", tried.get(name)));
        }
    }
    told.types.retain(|name| wanted.contains(name) || is_elsewhere(name));
    told
}

async fn ask_for_fields(known: &Known, types: &Types, way: &Way, told: &mut Told) {
    for field in fields(types, &way.to) {
        let (name, of) = (field.name.node.as_str(), &way.to);
        let document = way.document(&call_of(types, of, field));
        let least = role_of(&field.directives).map_or(way.least, |guard| guard.max(way.least));
        for role in Role::ALL {
            let (answer, codes) = known.told(Bearer::Person(role), &document).await;
            let things = way.things(&answer);
            let is_right = if role >= least {
                codes.is_empty() && !things.is_empty() && things.iter().all(|thing| thing.get(name).is_some())
            } else {
                let is_refused = !codes.is_empty() && codes.iter().all(|code| code == "FORBIDDEN");
                is_refused && things.iter().all(|thing| thing[name].is_null())
            };
            if !is_right {
                told.wrong.insert(format!("{of}.{name} as {}", role.as_str()), format!("{document}: {answer}"));
            }
        }
        let stranger = known.admin.send(None, &known.filled_in(&document), json!({})).await;
        if stranger.status != 401 {
            told.wrong.insert(format!("{of}.{name} as nobody"), stranger.status.to_string());
        }
        told.fields += 1;
        told.cells += Role::ALL.len() + 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_of_every_type_without_ids_keeps_its_role() {
    let known = Known::start().await;
    let told = ask_for_everything(&known, &sdl()).await;
    assert!(told.wrong.is_empty(), "{:#?}", told.wrong);
    println!("{} fields of {} types without ids, {} cells", told.fields, told.types.len(), told.cells);
    let (types, found) = (types_of(&sdl()), |name: &str| told.types.contains(name));
    for (name, why) in ELSEWHERE {
        assert!(types.contains_key(*name) && !found(name), "ELSEWHERE need not hold {name} ({why})");
    }
    for (place, _) in ARGUMENTS {
        let (of, name) = place.split_once('.').unwrap();
        assert!(fields(&types, of).any(|field| field.name.node == name), "ARGUMENTS need not hold {place}");
    }
}

/// A server whose schema says more than it holds, and a type of which there is nothing: the matrix must see all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guard_or_a_field_or_a_thing_that_is_missing_is_seen() {
    let known = Known::start().await;
    tamper(&known.admin.app.database, "DELETE FROM job_error").await;
    let changed = |sdl: &str, from: &str, to: &str| {
        assert!(sdl.contains(from), "{from}");
        sdl.replace(from, to)
    };
    let says = changed(&sdl(), "amount: Decimal!", "amount: Decimal! @auth(role: ADMIN)");
    let says = changed(&says, "type BoundedCount {", "type BoundedCount @auth(role: MANAGER) {");
    let says = changed(&says, "type PageInfo {", "type PageInfo { ghost: Int");
    let says = format!("{says}\ntype Ghost {{ name: String }}");
    let told = ask_for_everything(&known, &says).await;
    let wrong: BTreeSet<&str> = told.wrong.keys().map(String::as_str).collect();
    let expected = [
        "PageInfo.ghost as viewer",
        "PageInfo.ghost as manager",
        "PageInfo.ghost as admin",
        "Money.amount as viewer",
        "Money.amount as manager",
        "BoundedCount.isExact as viewer",
        "BoundedCount.value as viewer",
        "Ghost",
        "JobError",
        "JobErrorEdge",
    ];
    assert_eq!(wrong, BTreeSet::from(expected), "{:#?}", told.wrong);
}

//! The document guard: measures a GraphQL document before async-graphql looks at it.
//!
//! async-graphql 7.2 walks a fragment again at every spread before any of its own limits counts: 575 bytes cost
//! seconds, and every 32 bytes more double it; and a list literal nested 350 deep overflows the stack of its
//! parser. So the brackets are counted without a parser, the document is parsed once, and each fragment is
//! measured once, however often it is spread. What passes is small in every direction, and the parsed document
//! goes on, so that nothing parses it again. The guard knows no schema: names and types are async-graphql's.
//!
//! The limits are graphql.md, "The endpoint is ours". A document is refused for the first that it passes.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned, SchemaBuilder, Value, Variables,
    parser::{
        Error as ParseError, parse_query,
        types::{ExecutableDocument, Field, OperationDefinition, OperationType, Selection, SelectionSet},
    },
};

use super::error::{Code, Refusal};

/// Bytes of a document: 16 KiB.
pub const DOCUMENT_BYTES_MAX: usize = 16 * 1024;
/// Names, numbers, strings and opening brackets in a document: what the parser has to make something of.
pub const WORDS_MAX: usize = 2_500;
/// How deep `(`, `[` and `{` may nest, outside strings and comments.
pub const BRACKET_DEPTH_MAX: usize = 32;
/// Directives in a document.
pub const DIRECTIVES_MAX: usize = 20;
/// Directives on one field.
pub const DIRECTIVES_PER_FIELD_MAX: usize = 3;
/// Fragment spreads and inline fragments in a document.
pub const SPREADS_MAX: usize = 100;
/// Fragment definitions in a document.
pub const FRAGMENTS_MAX: usize = 20;
/// Operations in a document; one of them is run, all are validated.
pub const OPERATIONS_MAX: usize = 10;
/// Variables that the operations of a document declare.
pub const VARIABLES_MAX: usize = 30;
/// How deep lists and objects may nest in the value of a variable.
pub const VARIABLE_DEPTH_MAX: usize = 32;
/// Selections of all operations with every fragment written out: the cost that an answer reports.
pub const SELECTIONS_MAX: usize = 500;
/// Fields inside fields.
pub const DEPTH_MAX: usize = 10;
/// Selection sets inside selection sets; a fragment is one, a field that has one is one.
pub const NESTING_MAX: usize = 16;
/// Aliases of one operation with every fragment written out.
pub const ALIASES_MAX: usize = 30;
/// Fields at the root of a query.
pub const ROOT_FIELDS_MAX: usize = 10;
/// Fields at the root of a mutation.
pub const MUTATION_FIELDS_MAX: usize = 5;

/// Fields at the root of a subscription (GraphQL, October 2021, 5.2.3.1).
pub const SUBSCRIPTION_FIELDS_MAX: usize = 1;

/// `__schema` and `__type` may go this deep: the standard introspection query is 15 deep.
pub const INTROSPECTION_DEPTH_MAX: usize = 16;
/// The standard introspection query nests 17 selection sets, as each of its fragments is one.
pub const INTROSPECTION_NESTING_MAX: usize = 20;
/// Selections under `__schema` and `__type`: the standard introspection query has 240.
pub const INTROSPECTION_SELECTIONS_MAX: usize = 300;
/// How often a path under `__schema` may fan out over a list of types or fields. The standard query does it
/// twice (`types { fields }`); each time more multiplies the answer by the size of the schema.
pub const INTROSPECTION_LISTINGS_MAX: usize = 2;

/// async-graphql's own complexity, in which a page costs its length (graphql.md).
pub const COMPLEXITY_MAX: usize = 10_000;

/// Sets async-graphql's own limits. Depth and nesting are those of introspection, the larger ones: for all the
/// rest this guard holds the smaller.
#[must_use]
pub fn limited<Q, M, S>(builder: SchemaBuilder<Q, M, S>) -> SchemaBuilder<Q, M, S> {
    builder
        .limit_depth(INTROSPECTION_DEPTH_MAX)
        .limit_recursive_depth(INTROSPECTION_NESTING_MAX)
        .limit_complexity(COMPLEXITY_MAX)
        .limit_directives(DIRECTIVES_PER_FIELD_MAX)
        .disable_suggestions()
}

/// A document inside all limits.
#[derive(Debug)]
pub struct Measured {
    pub document: ExecutableDocument,
    /// Of the operation that will run.
    pub kind: OperationType,
    /// Selections, of at most [`SELECTIONS_MAX`].
    pub cost: usize,
}

/// Parses and measures `query`; `operation_name` selects what will run, and may be absent when there is one.
///
/// # Errors
/// `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED` (fragments in a circle, nothing or too much to run) or
/// `QUERY_TOO_COMPLEX`.
pub fn measure(query: &str, operation_name: Option<&str>) -> Result<Measured, Refusal> {
    at_most("Bytes of the document", query.len(), DOCUMENT_BYTES_MAX)?;
    scan(query)?;
    let document = parse_query(query).map_err(not_graphql)?;
    at_most("Fragments", document.fragments.len(), FRAGMENTS_MAX)?;
    at_most("Operations", document.operations.iter().len(), OPERATIONS_MAX)?;
    let cost = measure_selections(&document)?;
    let kind = kind_of_chosen(&document, operation_name)?;
    Ok(Measured { document, kind, cost })
}

/// Looks at the nesting of the values.
///
/// # Errors
/// `QUERY_TOO_COMPLEX` beyond [`VARIABLE_DEPTH_MAX`].
pub fn measure_variables(variables: &Variables) -> Result<(), Refusal> {
    if variables.values().all(|value| is_within(value, VARIABLE_DEPTH_MAX)) {
        return Ok(());
    }
    Err(Refusal::new(Code::QueryTooComplex, format!("A variable nests deeper than {VARIABLE_DEPTH_MAX}")))
}

fn is_within(value: &Value, levels: usize) -> bool {
    let inside = |value| levels.checked_sub(1).is_some_and(|left| is_within(value, left));
    if let Value::List(items) = value {
        items.iter().all(inside)
    } else if let Value::Object(fields) = value {
        fields.values().all(inside)
    } else {
        true
    }
}

fn at_most(what: &str, count: usize, limit: usize) -> Result<(), Refusal> {
    if count <= limit {
        return Ok(());
    }
    Err(Refusal::new(Code::QueryTooComplex, format!("{what}: {count}, and at most {limit} are taken")))
}

fn not_graphql(error: ParseError) -> Refusal {
    let text = error.to_string();
    // pest draws the line of the document; what it expected there is all that is worth repeating.
    let reason = text.lines().rev().find_map(|line| line.trim_start().strip_prefix("= ")).unwrap_or(&text);
    let refusal = Refusal::new(Code::GraphqlParseFailed, format!("The document is not GraphQL: {reason}"));
    match error.positions().next() {
        Some(place) => refusal.at(place),
        None => refusal,
    }
}

/// Counts what a parser would recurse into or multiply, outside strings and comments.
/// Strings end where async-graphql's grammar ends them, or what it parses would not be what was counted.
fn scan(query: &str) -> Result<(), Refusal> {
    let bytes = query.as_bytes();
    let (mut at, mut words, mut depth, mut directives, mut spreads) = (0, 0_usize, 0_usize, 0_usize, 0_usize);
    while let Some(byte) = bytes.get(at) {
        let mut next = at + 1;
        match byte {
            b'(' | b'[' | b'{' => (words, depth) = (words + 1, depth + 1),
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b'@' => directives += 1,
            b'.' if bytes[at..].starts_with(b"...") => (spreads, next) = (spreads + 1, at + 3),
            b'#' => next = end_of_comment(bytes, at),
            b'"' => (words, next) = (words + 1, end_of_string(bytes, at).ok_or_else(unfinished_string)?),
            b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => (words, next) = (words + 1, end_of_word(bytes, at)),
            _ => {}
        }
        at_most("Depth of brackets", depth, BRACKET_DEPTH_MAX)?;
        at = next;
    }
    at_most("Words of the document", words, WORDS_MAX)?;
    at_most("Directives", directives, DIRECTIVES_MAX)?;
    at_most("Fragment spreads", spreads, SPREADS_MAX)
}

fn unfinished_string() -> Refusal {
    Refusal::new(Code::GraphqlParseFailed, "The document is not GraphQL: a string does not end")
}

fn end_of_comment(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|byte| matches!(byte, b'\n' | b'\r')).map_or(bytes.len(), |length| start + length)
}

fn end_of_word(bytes: &[u8], start: usize) -> usize {
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    bytes[start..].iter().position(|byte| !inside(byte)).map_or(bytes.len(), |length| start + length)
}

/// The place after the closing quote of the string that opens at `start`; `None` when there is none.
fn end_of_string(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes[start..].starts_with(b"\"\"\"") {
        return end_of_block_string(bytes, start + 3);
    }
    let mut at = start + 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\n' | b'\r' => return None,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

fn end_of_block_string(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
        if rest.starts_with(b"\"\"\"") {
            return Some(at + 3);
        }
        at += if rest.starts_with(b"\\\"\"\"") { 4 } else { 1 };
    }
}

fn kind_of_chosen(document: &ExecutableDocument, name: Option<&str>) -> Result<OperationType, Refusal> {
    let mut candidates = document.operations.iter().filter(|(own, _)| name.is_none() || own.map(Name::as_str) == name);
    match (candidates.next(), candidates.next()) {
        (Some((_, operation)), None) => Ok(operation.node.ty),
        (None, _) => Err(Refusal::new(Code::GraphqlValidationFailed, "The document has no operation of this name")),
        (Some(_), Some(_)) => {
            Err(Refusal::new(Code::GraphqlValidationFailed, "The document has several operations: say operationName"))
        }
    }
}

/// Refuses what is too large in any direction; the cost of all operations together otherwise.
/// All of them, because async-graphql validates all of them, whichever runs.
fn measure_selections(document: &ExecutableDocument) -> Result<usize, Refusal> {
    let mut walk = Walk { document, fragments: HashMap::new() };
    let (mut cost, mut variables) = (0_usize, 0_usize);
    for (_, operation) in document.operations.iter() {
        let reach = walk.selections(&operation.node.selection_set, 0)?;
        refuse_too_far(&reach, &operation.node)?;
        cost = cost.saturating_add(reach.selections);
        variables = variables.saturating_add(operation.node.variable_definitions.len());
    }
    // A fragment that nothing spreads is validated too.
    for (name, fragment) in &document.fragments {
        let reach = walk.fragment(name, fragment.pos, 0)?;
        at_most("Selections of a fragment", reach.selections, SELECTIONS_MAX)?;
    }
    at_most("Variables", variables, VARIABLES_MAX)?;
    at_most("Selections", cost, SELECTIONS_MAX)?;
    Ok(cost)
}

fn refuse_too_far(reach: &Reach, operation: &OperationDefinition) -> Result<(), Refusal> {
    let root_fields_max = match operation.ty {
        OperationType::Mutation => MUTATION_FIELDS_MAX,
        OperationType::Query => ROOT_FIELDS_MAX,
        OperationType::Subscription => SUBSCRIPTION_FIELDS_MAX,
    };
    at_most("Selections", reach.selections, SELECTIONS_MAX)?;
    at_most("Fields at the root", reach.fields, root_fields_max)?;
    at_most("Aliases", reach.aliases, ALIASES_MAX)?;
    at_most("Depth", reach.plain.depth, DEPTH_MAX)?;
    at_most("Nested selections", reach.plain.nesting, NESTING_MAX)?;
    at_most("Depth of introspection", reach.introspection.depth, INTROSPECTION_DEPTH_MAX)?;
    at_most("Nested selections of introspection", reach.introspection.nesting, INTROSPECTION_NESTING_MAX)?;
    at_most("Lists inside lists of introspection", reach.introspection.listings, INTROSPECTION_LISTINGS_MAX)?;
    at_most("Selections of introspection", reach.introspective_selections, INTROSPECTION_SELECTIONS_MAX)
}

/// How far a selection set goes downwards.
#[derive(Clone, Copy, Default)]
struct Extent {
    depth: usize,
    nesting: usize,
    listings: usize,
}

impl Extent {
    fn or(self, other: Self) -> Self {
        Self {
            depth: self.depth.max(other.depth),
            nesting: self.nesting.max(other.nesting),
            listings: self.listings.max(other.listings),
        }
    }
}

/// How much a selection set asks for, with every fragment written out.
#[derive(Clone, Copy, Default)]
struct Reach {
    selections: usize,
    aliases: usize,
    /// On this level.
    fields: usize,
    plain: Extent,
    /// Of the `__schema` and `__type` on this level: they are nothing special further down.
    introspection: Extent,
    introspective_selections: usize,
}

impl Reach {
    fn and(self, other: Self) -> Self {
        Self {
            selections: self.selections.saturating_add(other.selections),
            aliases: self.aliases.saturating_add(other.aliases),
            fields: self.fields.saturating_add(other.fields),
            plain: self.plain.or(other.plain),
            introspection: self.introspection.or(other.introspection),
            introspective_selections: self.introspective_selections.saturating_add(other.introspective_selections),
        }
    }

    /// A spread, or an inline fragment: one selection more and one level more, on the same fields.
    fn spread(self) -> Self {
        let deeper = |extent: Extent| Extent { nesting: extent.nesting + 1, ..extent };
        Self {
            selections: self.selections.saturating_add(1),
            plain: deeper(self.plain),
            introspection: deeper(self.introspection),
            ..self
        }
    }

    fn under(self, field: &Field) -> Self {
        let below = self.plain.or(self.introspection);
        let extent = Extent {
            depth: below.depth + 1,
            nesting: below.nesting + usize::from(!field.selection_set.node.items.is_empty()),
            listings: below.listings + usize::from(is_listing(&field.name.node)),
        };
        let selections = self.selections.saturating_add(1);
        let own = Self {
            selections,
            aliases: self.aliases.saturating_add(usize::from(field.alias.is_some())),
            fields: 1,
            ..Self::default()
        };
        if matches!(field.name.node.as_str(), "__schema" | "__type") {
            Self { introspection: extent, introspective_selections: selections, ..own }
        } else {
            Self { plain: extent, ..own }
        }
    }
}

/// The fields of the introspection types that list types or fields.
fn is_listing(name: &str) -> bool {
    matches!(name, "types" | "fields" | "inputFields" | "interfaces" | "possibleTypes")
}

/// What is known of a fragment.
#[derive(Clone, Copy)]
enum Known {
    /// It is being measured further up: to meet it now is a circle.
    BeingMeasured,
    Reach(Reach),
}

struct Walk<'a> {
    document: &'a ExecutableDocument,
    fragments: HashMap<&'a str, Known>,
}

impl<'a> Walk<'a> {
    /// `level` counts the selection sets around this one: the walk itself must not go deeper than is allowed.
    fn selections(&mut self, set: &'a Positioned<SelectionSet>, level: usize) -> Result<Reach, Refusal> {
        at_most("Nested selections", level, INTROSPECTION_NESTING_MAX).map_err(|refusal| refusal.at(set.pos))?;
        set.node.items.iter().try_fold(Reach::default(), |sum, selection| {
            let one = match &selection.node {
                Selection::Field(field) => {
                    self.selections(&field.node.selection_set, deeper(level, field))?.under(&field.node)
                }
                Selection::InlineFragment(inline) => self.selections(&inline.node.selection_set, level + 1)?.spread(),
                Selection::FragmentSpread(spread) => {
                    self.fragment(&spread.node.fragment_name.node, spread.pos, level + 1)?.spread()
                }
            };
            Ok(sum.and(one))
        })
    }

    fn fragment(&mut self, name: &str, pos: Pos, level: usize) -> Result<Reach, Refusal> {
        // A spread of a fragment that does not exist is for async-graphql to refuse, by name.
        let Some((name, fragment)) = self.document.fragments.get_key_value(name) else { return Ok(Reach::default()) };
        match self.fragments.get(name.as_str()).copied() {
            Some(Known::Reach(reach)) => Ok(reach),
            Some(Known::BeingMeasured) => Err(circle(name, pos)),
            None => {
                self.fragments.insert(name, Known::BeingMeasured);
                let reach = self.selections(&fragment.node.selection_set, level)?;
                self.fragments.insert(name, Known::Reach(reach));
                Ok(reach)
            }
        }
    }
}

fn deeper(level: usize, field: &Positioned<Field>) -> usize {
    level + usize::from(!field.node.selection_set.node.items.is_empty())
}

fn circle(name: &Name, pos: Pos) -> Refusal {
    Refusal::new(Code::GraphqlValidationFailed, format!("The fragment {name} leads back to itself")).at(pos)
}

#[cfg(test)]
pub(crate) mod bombs {
    //! Small documents that used to cost a server dearly.

    /// 31 fragments, each spread twice by the one before: 2³¹ selections.
    pub(crate) fn fragments() -> String {
        let links = (0..31).map(|n| format!("fragment f{n} on Query{{...f{m} ...f{m}}}", m = n + 1));
        format!("{{...f0}} {} fragment f31 on Query{{ping}}", links.collect::<String>())
    }

    /// The same inside the limit of fragments: 2¹⁸ selections.
    pub(crate) fn few_fragments() -> String {
        let links = (0..18).map(|n| format!("fragment f{n} on Query{{...f{m} ...f{m}}}", m = n + 1));
        format!("{{...f0}} {} fragment f18 on Query{{ping}}", links.collect::<String>())
    }

    /// A fragment of ten others, five levels high: 10⁵ selections, without much nesting.
    pub(crate) fn wide_fragments() -> String {
        let links = (0..5).map(|n| format!("fragment f{n} on Query{{{}}}", format!("...f{} ", n + 1).repeat(10)));
        format!("{{...f0}} {} fragment f5 on Query{{ping}}", links.collect::<String>())
    }

    pub(crate) fn list(depth: usize) -> String {
        format!("{{echo(values: {}{})}}", "[".repeat(depth), "]".repeat(depth))
    }

    pub(crate) fn directives(count: usize) -> String {
        format!("{{ping {}}}", "@include(if: true) ".repeat(count))
    }

    /// Two fragments that spread each other.
    pub(crate) const CIRCLE: &str = "{...a} fragment a on Query{...b} fragment b on Query{...a}";

    /// The standard introspection query, with everything that its authors can switch on.
    pub(crate) fn introspection() -> String {
        let of_type = format!("{}{}", "ofType{name kind ".repeat(9), "}".repeat(9));
        format!(
            "query IntrospectionQuery{{__schema{{description queryType{{name kind}} mutationType{{name kind}}
            subscriptionType{{name kind}} types{{...FullType}} directives{{name description isRepeatable locations
            args(includeDeprecated:true){{...InputValue}}}}}}}}
            fragment FullType on __Type{{kind name description specifiedByURL isOneOf
            fields(includeDeprecated:true){{name description args(includeDeprecated:true){{...InputValue}}
            type{{...TypeRef}} isDeprecated deprecationReason}}
            inputFields(includeDeprecated:true){{...InputValue}} interfaces{{...TypeRef}}
            enumValues(includeDeprecated:true){{name description isDeprecated deprecationReason}}
            possibleTypes{{...TypeRef}}}}
            fragment InputValue on __InputValue{{name description type{{...TypeRef}} defaultValue isDeprecated
            deprecationReason}}
            fragment TypeRef on __Type{{kind name {of_type}}}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{bombs, *};

    fn refused(query: &str) -> Code {
        match measure(query, None) {
            Ok(measured) => panic!("taken at a cost of {}: {query}", measured.cost),
            Err(refusal) => refusal.code,
        }
    }

    fn cost(query: &str) -> usize {
        match measure(query, None) {
            Ok(measured) => measured.cost,
            Err(refusal) => panic!("{refusal:?}: {query}"),
        }
    }

    fn nested(depth: usize) -> String {
        format!("{}a{}", "{a".repeat(depth - 1) + "{", "}".repeat(depth))
    }

    fn fields(count: usize) -> String {
        (0..count).map(|n| format!("f{n} ")).collect()
    }

    /// Taken at the limit, refused one further.
    fn limit(limit: usize, document: impl Fn(usize) -> String) {
        cost(&document(limit - 1));
        cost(&document(limit));
        assert_eq!(refused(&document(limit + 1)), Code::QueryTooComplex, "{}", document(limit + 1));
    }

    #[test]
    fn each_limit_takes_its_own_number_and_refuses_the_next() {
        limit(DOCUMENT_BYTES_MAX, |n| format!("{{a}}{}", " ".repeat(n - 3)));
        limit(WORDS_MAX, |n| format!("{{a(b:[{}])}}", "1 ".repeat(n - 5)));
        limit(WORDS_MAX, |n| format!("{{a(b:[{}])}}", "\"\" ".repeat(n - 5)));
        limit(WORDS_MAX, |n| format!("{{a(b:[{}])}}", "[]".repeat(n - 5)));
        limit(BRACKET_DEPTH_MAX, |n| bombs::list(n - 2));
        limit(DIRECTIVES_MAX, bombs::directives);
        limit(SPREADS_MAX, |n| format!("{{a{{{}}}}}", "...{b}".repeat(n)));
        limit(FRAGMENTS_MAX, |n| {
            let fragments = (0..n).map(|n| format!("fragment f{n} on Q{{a}}"));
            format!("{{a}} {}", fragments.collect::<String>())
        });
        limit(VARIABLES_MAX, |n| format!("query({}){{a}}", (0..n).map(|n| format!("$v{n}:Int ")).collect::<String>()));
        limit(SELECTIONS_MAX, |n| format!("{{a{{{}}}}}", fields(n - 1)));
        limit(DEPTH_MAX, nested);
        limit(NESTING_MAX, |n| format!("{{{}a{}}}", "...{".repeat(n), "}".repeat(n)));
        limit(ALIASES_MAX, |n| format!("{{a{{{}}}}}", (0..n).map(|n| format!("x{n}:b ")).collect::<String>()));
        limit(ROOT_FIELDS_MAX, |n| format!("{{{}}}", fields(n)));
        limit(MUTATION_FIELDS_MAX, |n| format!("mutation{{{}}}", fields(n)));
    }

    #[test]
    fn a_subscription_has_one_field_at_its_root_however_it_is_written() {
        assert_eq!(cost("subscription{a{b c}}"), SUBSCRIPTION_FIELDS_MAX + 2);
        for more in ["subscription{a b}", "subscription{x:a y:a}", "subscription{...f} fragment f on S{a b}"] {
            assert_eq!(refused(more), Code::QueryTooComplex, "{more}");
        }
    }

    #[test]
    fn a_bomb_in_a_subscription_is_refused_too() {
        let subscription = |bomb: String| format!("subscription{bomb}").replace("on Query", "on Subscription");
        for bomb in [bombs::fragments(), bombs::few_fragments(), bombs::wide_fragments(), bombs::list(350)] {
            assert_eq!(refused(&subscription(bomb)), Code::QueryTooComplex);
        }
        assert_eq!(refused(&subscription(bombs::directives(DIRECTIVES_MAX + 1))), Code::QueryTooComplex);
        assert_eq!(refused(&subscription(bombs::CIRCLE.to_owned())), Code::GraphqlValidationFailed);
    }

    #[test]
    fn a_document_holds_few_operations() {
        let of = |count: usize| (0..count).map(|n| format!("query q{n}{{a}} ")).collect::<String>();
        assert_eq!(measure(&of(OPERATIONS_MAX), Some("q0")).unwrap().cost, OPERATIONS_MAX);
        assert_eq!(measure(&of(OPERATIONS_MAX + 1), Some("q0")).unwrap_err().code, Code::QueryTooComplex);
    }

    #[test]
    fn introspection_has_limits_of_its_own() {
        assert_eq!(cost(&bombs::introspection()), 240);
        let of_types = |n: usize| format!("{{__type(name:\"Q\"){}}}", nested(n - 1).replace('a', "ofType"));
        limit(INTROSPECTION_DEPTH_MAX, of_types);
        limit(INTROSPECTION_SELECTIONS_MAX, |n| format!("{{__schema{{{}}}}}", fields(n - 1)));
        assert!(cost("{__schema{types{fields{name type{name}}}}}") > 0);
        assert_eq!(refused("{__schema{types{fields{type{fields{name}}}}}}"), Code::QueryTooComplex);
    }

    #[test]
    fn the_larger_depth_is_for_introspection_at_the_root_only() {
        let inner = nested(11);
        assert_eq!(refused(&format!("{{a{{__schema{inner}}}}}")), Code::QueryTooComplex);
        assert_eq!(refused(&format!("{{__schemas{inner}}}")), Code::QueryTooComplex);
        assert_eq!(refused(&format!("{{__schema{{a}} b{inner}}}")), Code::QueryTooComplex);
        assert!(cost(&format!("{{...f}} fragment f on Q{{__schema{inner}}}")) > 0);
    }

    #[test]
    fn bombs_are_refused() {
        for bomb in [bombs::fragments(), bombs::few_fragments(), bombs::wide_fragments(), bombs::list(350)] {
            assert_eq!(refused(&bomb), Code::QueryTooComplex);
        }
        assert_eq!(refused(bombs::CIRCLE), Code::GraphqlValidationFailed);
        assert_eq!(refused("{...a} fragment a on Query{b{...a}}"), Code::GraphqlValidationFailed);
    }

    #[test]
    fn a_fragment_costs_what_it_holds_each_time_it_is_spread() {
        assert_eq!(cost("{a b{c}}"), 3);
        assert_eq!(cost("{...f} fragment f on Q{a b}"), 3);
        assert_eq!(cost("{...f ...f} fragment f on Q{a b}"), 6);
        assert_eq!(cost("{...on Q{a}}"), 2);
    }

    #[test]
    fn brackets_in_strings_and_comments_do_not_count() {
        let many = "[".repeat(200);
        for document in [
            format!("{{a(b:\"{many} \\\" {many}\")}}"),
            format!("{{a(b:\"\"\"{many} \\\"\"\" \" {many}\n\"\"\")}}"),
            format!("{{a # {many} \" {many}\n}}"),
            format!("{{a(b:\"\", c:\"\") # {many} \r}}"),
        ] {
            assert!(cost(&document) > 0);
        }
    }

    #[test]
    fn a_string_or_comment_hides_nothing_after_its_end() {
        let many = "[".repeat(200);
        for document in [
            format!("{{a(b:\"\\\\\" c:{many})}}"),
            format!("{{a(b:\"\"\"\\n\"\"\" c:{many})}}"),
            format!("{{a(b:\"\"\"\"\"\" c:{many})}}"),
            format!("{{a # \"\r(c:{many})}}"),
        ] {
            assert_eq!(refused(&document), Code::QueryTooComplex, "{document}");
        }
    }

    #[test]
    fn what_is_not_graphql_is_refused_with_its_place() {
        for document in ["", "{", "{a(b:\"x)}", "{a(b:\"\"\"x\"\")}", "{a(b:\"\n\")}", "type A{b:Int}", "{8f}"] {
            assert_eq!(refused(document), Code::GraphqlParseFailed, "{document}");
        }
        let refusal = measure("{a\n  (}", None).unwrap_err();
        assert_eq!(refusal.at, Some(Pos { line: 2, column: 4 }));
        assert!(refusal.message.contains("expected"), "{}", refusal.message);
    }

    #[test]
    fn one_operation_is_chosen_by_its_name() {
        let both = "query A{a} mutation B{b}";
        assert_eq!(measure(both, Some("A")).unwrap().kind, OperationType::Query);
        assert_eq!(measure(both, Some("B")).unwrap().kind, OperationType::Mutation);
        assert_eq!(measure(both, None).unwrap_err().code, Code::GraphqlValidationFailed);
        assert_eq!(measure(both, Some("C")).unwrap_err().code, Code::GraphqlValidationFailed);
        assert_eq!(measure("{a}", Some("A")).unwrap_err().code, Code::GraphqlValidationFailed);
        assert_eq!(measure("query A{a}", None).unwrap().kind, OperationType::Query);
    }

    #[test]
    fn a_variable_nests_to_its_limit() {
        let of_depth = |depth: usize| {
            let list = (0..depth).fold(Value::Null, |inner, _| Value::List(vec![inner]));
            let mut variables = Variables::default();
            variables.insert(Name::new("v"), list);
            measure_variables(&variables)
        };
        assert_eq!(of_depth(VARIABLE_DEPTH_MAX), Ok(()));
        assert_eq!(of_depth(VARIABLE_DEPTH_MAX + 1).unwrap_err().code, Code::QueryTooComplex);
    }
}

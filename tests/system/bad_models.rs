//! Models that must be refused: XML that is none, BPMN that cannot run, FEEL that does not parse.
//!
//! A row is a file and what is said about it; the words are those that modellers see, so most of
//! them are Zeebe's. The builders below make a whole file around the one thing that is wrong.

use crate::bad_input::{Case, DEPLOY, case, check, nested, still_serves};
use crate::broker::{Place, Start};
use crate::client::multipart;
use crate::models::{around, definitions, file, service_task, task};

fn deployment(about: &'static str, xml: impl AsRef<str>, refusal: (u16, &'static str)) -> Case {
    named_deployment(about, "a.bpmn", xml, refusal)
}

pub(crate) fn named_deployment(
    about: &'static str,
    name: &str,
    content: impl AsRef<str>,
    refusal: (u16, &'static str),
) -> Case {
    let (kind, body) = multipart(name, content.as_ref());
    Case {
        kind,
        ..case(about, DEPLOY, body, refusal)
    }
}

pub(crate) fn entity_bomb() -> String {
    let mut text = String::from("<?xml version=\"1.0\"?><!DOCTYPE d [<!ENTITY a0 \"lol\">");
    for level in 1..12 {
        let inner = format!("&a{};", level - 1).repeat(10);
        text.push_str(&format!("<!ENTITY a{level} \"{inner}\">"));
    }
    text + "]><d>&a11;</d>"
}

/// A process whose start is followed by an exclusive gateway with this condition.
pub(crate) fn condition(expression: &str) -> String {
    let gateway = format!(
        "<bpmn:exclusiveGateway id=\"m\" default=\"f2\"/>\
         <bpmn:sequenceFlow id=\"f3\" sourceRef=\"m\" targetRef=\"e\">\
         <bpmn:conditionExpression>{expression}</bpmn:conditionExpression></bpmn:sequenceFlow>"
    );
    definitions("p", &around(&gateway))
}

pub(crate) fn mapping(kind: &str, source: &str) -> String {
    let mapping = format!(
        "<zeebe:taskDefinition type=\"t\"/><zeebe:ioMapping>\
         <zeebe:{kind} source=\"{source}\" target=\"x\"/></zeebe:ioMapping>"
    );
    definitions("p", &around(&service_task(&mapping)))
}

pub(crate) fn timer(definition: &str) -> String {
    let event = format!(
        "<bpmn:intermediateCatchEvent id=\"m\"><bpmn:timerEventDefinition>{definition}\
         </bpmn:timerEventDefinition></bpmn:intermediateCatchEvent>"
    );
    definitions("p", &around(&event))
}

pub(crate) fn script(expression: &str) -> String {
    definitions(
        "p",
        &around(&format!(
            "<bpmn:scriptTask id=\"m\"><bpmn:extensionElements><zeebe:script \
             expression=\"{expression}\" resultVariable=\"r\"/></bpmn:extensionElements>\
             </bpmn:scriptTask>"
        )),
    )
}

pub(crate) fn looped(collection: &str) -> String {
    let task = format!(
        "<bpmn:serviceTask id=\"m\"><bpmn:extensionElements><zeebe:taskDefinition type=\"t\"/>\
         </bpmn:extensionElements><bpmn:multiInstanceLoopCharacteristics>\
         <bpmn:extensionElements><zeebe:loopCharacteristics inputCollection=\"{collection}\"/>\
         </bpmn:extensionElements></bpmn:multiInstanceLoopCharacteristics></bpmn:serviceTask>"
    );
    definitions("p", &around(&task))
}

pub(crate) fn catching(message: &str) -> String {
    let event = "<bpmn:intermediateCatchEvent id=\"m\"><bpmn:messageEventDefinition \
                 messageRef=\"msg\"/></bpmn:intermediateCatchEvent>";
    file(&format!(
        "{message}<bpmn:process id=\"p\" isExecutable=\"true\">{}</bpmn:process>",
        around(event)
    ))
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let bad = |text| (400, text);
    let with_task = |extensions: &str| definitions("p", &around(&service_task(extensions)));
    let deep_feel = format!("={}", nested("(", "1", ")", 1000));
    let cases = [
        deployment(
            "an empty file",
            "",
            bad("'a.bpmn': Fatal Error: URI=null Line=1: Premature end of file."),
        ),
        deployment(
            "no XML",
            "this is no XML",
            bad("Fatal Error: URI=null Line=1: Content is not allowed in prolog."),
        ),
        deployment(
            "a tag not closed",
            "<a><b></a>",
            bad("must be terminated by the matching end-tag"),
        ),
        deployment(
            "cut short",
            &task("p")[..200],
            bad("XML document structures must start and end within the same entity."),
        ),
        deployment(
            "an entity bomb",
            entity_bomb(),
            bad("DOCTYPE is disallowed when the feature"),
        ),
        deployment(
            "a file from outside",
            "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><d>&x;</d>",
            bad("DOCTYPE is disallowed when the feature"),
        ),
        deployment(
            "100,000 levels",
            nested("<a>", "", "</a>", 100_000),
            bad("Elements are nested deeper than 256"),
        ),
        deployment(
            "1,000 nested subprocesses",
            definitions(
                "p",
                &nested("<bpmn:subProcess>", "", "</bpmn:subProcess>", 1000),
            ),
            bad("Elements are nested deeper than 256"),
        ),
        deployment(
            "a zero byte",
            task("p").replace("\"m\"", "\"m\0\""),
            bad("An invalid XML character (Unicode: 0x0) was found"),
        ),
        deployment(
            "a prefix without namespace",
            "<x:definitions/>",
            bad("is not bound."),
        ),
        deployment(
            "another root",
            "<html/>",
            bad("cvc-elt.1.a: Cannot find the declaration of element 'html'."),
        ),
        deployment("another suffix", task("p"), (200, "")),
        deployment(
            "no process",
            file(""),
            bad("Must contain at least one executable process"),
        ),
        deployment(
            "an empty process",
            definitions("p", ""),
            bad("Must have at least one start event"),
        ),
        deployment(
            "no process id",
            definitions("", &around("<bpmn:task id=\"m\"/>")),
            bad("cvc-datatype-valid.1.2.1: '' is not a valid value for 'NCName'."),
        ),
        deployment(
            "an id twice",
            definitions(
                "p",
                &(around("<bpmn:task id=\"m\"/>") + "<bpmn:task id=\"m\"/>"),
            ),
            bad("cvc-id.2: There are multiple occurrences of ID value 'm'."),
        ),
        deployment(
            "a flow to nowhere",
            task("p").replace("targetRef=\"e\"", "targetRef=\"nowhere\""),
            bad("cvc-id.1: There is no ID/IDREF binding for IDREF 'nowhere'."),
        ),
        deployment(
            "two processes of one id",
            file(
                &"<bpmn:process id=\"p\" isExecutable=\"true\"><bpmn:startEvent id=\"s\"/>\
                   </bpmn:process>"
                    .repeat(2),
            ),
            bad("cvc-id.2: There are multiple occurrences of ID value 'p'."),
        ),
        deployment(
            "an element nobody knows",
            definitions("p", &around("<bpmn:fancyTask id=\"m\"/>")),
            bad("cvc-complex-type.2.4.a: Invalid content was found starting with element"),
        ),
        deployment(
            "a task without type",
            with_task(""),
            bad("Must have exactly one 'zeebe:taskDefinition' extension element"),
        ),
        deployment(
            "an empty type",
            with_task("<zeebe:taskDefinition type=\"\"/>"),
            bad("Expected expression but not found."),
        ),
        deployment(
            "FEEL: job type",
            with_task("<zeebe:taskDefinition type=\"=1 +\"/>"),
            bad("failed to parse expression '1 +'"),
        ),
        deployment(
            "FEEL: retries",
            with_task("<zeebe:taskDefinition type=\"t\" retries=\"=)\"/>"),
            bad("failed to parse expression ')'"),
        ),
        deployment(
            "FEEL: condition",
            condition("=a &gt;"),
            bad("failed to parse expression 'a >'"),
        ),
        deployment(
            "FEEL: condition too deep",
            condition(&deep_feel),
            bad("nested too deeply"),
        ),
        deployment(
            "FEEL: input",
            mapping("input", "=)"),
            bad("Element: m > extensionElements > ioMapping > input"),
        ),
        deployment(
            "FEEL: output",
            mapping("output", "=if x"),
            bad("failed to parse expression 'if x'"),
        ),
        deployment(
            "FEEL: script",
            script("=for x in"),
            bad("failed to parse expression 'for x in'"),
        ),
        deployment(
            "FEEL: input collection",
            looped("=[1,"),
            bad("failed to parse expression '[1,'"),
        ),
        deployment(
            "no input collection",
            looped(""),
            bad("Expected expression but not found."),
        ),
        deployment(
            "FEEL: timer",
            timer("<bpmn:timeDuration>=duration(</bpmn:timeDuration>"),
            bad("failed to parse expression 'duration('"),
        ),
        deployment(
            "a timer of no time",
            timer("<bpmn:timeDuration>soon</bpmn:timeDuration>"),
            bad("Invalid timer duration expression"),
        ),
        deployment(
            "a date of no day",
            timer("<bpmn:timeDate>2024-13-40T00:00:00Z</bpmn:timeDate>"),
            bad("Invalid timer date expression"),
        ),
        deployment(
            "a timer without definition",
            timer(""),
            bad("Must be exactly one type of timer"),
        ),
        deployment(
            "a message without name",
            catching("<bpmn:message id=\"msg\"/>"),
            bad("Name must be present and not empty"),
        ),
        deployment(
            "a message that is not there",
            catching(""),
            bad("Must reference a message"),
        ),
        deployment(
            "FEEL: correlation key",
            catching(
                "<bpmn:message id=\"msg\" name=\"n\"><bpmn:extensionElements>\
                 <zeebe:subscription correlationKey=\"=a b c\"/></bpmn:extensionElements>\
                 </bpmn:message>",
            ),
            bad("failed to parse expression 'a b c'"),
        ),
        deployment(
            "a message without correlation key",
            catching("<bpmn:message id=\"msg\" name=\"n\"/>"),
            bad("Must have exactly one zeebe:subscription extension element"),
        ),
        deployment(
            "a call of nothing",
            definitions("p", &around("<bpmn:callActivity id=\"m\"/>")),
            bad("Must have exactly one 'zeebe:calledElement' extension element"),
        ),
    ];
    let place = Place::new();
    let broker = place.start(&Start::default());
    check(&mut broker.client(), &cases);
    still_serves(&place, broker);
}

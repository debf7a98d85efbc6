//! Random processes full of events: what `random_event` runs.
//!
//! A process is drawn from a seed: blocks in sequence and side by side, scopes with event
//! sub-processes, boundary events of every kind, calls of a second process.

use super::element::{bpmn, flow, service_task};
use super::random::Dice;

const ROOTS: &str = r#"<bpmn:message id="m1" name="m1"><bpmn:extensionElements><zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message>
<bpmn:message id="m2" name="m2"><bpmn:extensionElements><zeebe:subscription correlationKey="=key"/></bpmn:extensionElements></bpmn:message>
<bpmn:signal id="s" name="s"/><bpmn:error id="error" errorCode="broken"/><bpmn:escalation id="esc" escalationCode="up"/>"#;

struct Builder {
    dice: Dice,
    next: u32,
    content: String,
    /// Calls of the other process may stand here.
    calls: bool,
    /// Inside what a signal may start: no signal is thrown there, or it would go on for ever.
    quiet: bool,
}

impl Builder {
    fn name(&mut self, prefix: &str) -> String {
        self.next += 1;
        format!("{prefix}{}", self.next)
    }

    fn flow(&mut self, from: &str, to: &str) {
        let id = self.name("f");
        self.content += &flow(&id, from, to);
    }

    fn end(&mut self, after: &str) {
        let id = self.name("end");
        self.content += &format!(r#"<bpmn:endEvent id="{id}"/>"#);
        self.flow(after, &id);
    }

    /// A definition that can interrupt or not; `which` keeps the names of one host apart.
    fn definition(&mut self, interrupting: bool, which: u64) -> String {
        match which % 5 {
            0 if !interrupting => timer("timeCycle", "R2/PT20S"),
            0 => timer("timeDuration", "PT20S"),
            1 => message("m1"),
            2 => message("m2"),
            3 => condition(self.dice.roll(3)),
            _ => r#"<bpmn:signalEventDefinition signalRef="s"/>"#.to_owned(),
        }
    }

    fn catch_definition(&mut self) -> String {
        match self.dice.roll(4) {
            0 => timer("timeDuration", "PT10S"),
            1 => message("m1"),
            2 => condition(self.dice.roll(3)),
            _ => r#"<bpmn:signalEventDefinition signalRef="s"/>"#.to_owned(),
        }
    }

    fn boundaries(&mut self, host: &str) {
        if self.dice.roll(2) == 0 {
            self.compensated(host);
        }
        let first = self.dice.roll(5);
        for n in 0..self.dice.roll(3) {
            let interrupting = self.dice.roll(2) == 0;
            let definition = self.definition(interrupting, first + n);
            let id = self.name("boundary");
            self.content += &format!(
                r#"<bpmn:boundaryEvent id="{id}" attachedToRef="{host}" cancelActivity="{interrupting}">{definition}</bpmn:boundaryEvent>"#
            );
            self.end(&id);
        }
    }

    /// A job that undoes `host`.
    fn compensated(&mut self, host: &str) {
        let (id, handler) = (self.name("compensate"), self.name("undo"));
        let task = service_task(&handler, "work").replace(
            &format!(r#"id="{handler}""#),
            &format!(r#"id="{handler}" isForCompensation="true""#),
        );
        let task = self.repeated(&task);
        self.content += &format!(
            r#"<bpmn:boundaryEvent id="{id}" attachedToRef="{host}"><bpmn:compensateEventDefinition/></bpmn:boundaryEvent>
{task}<bpmn:association id="{id}_to" associationDirection="One" sourceRef="{id}" targetRef="{handler}"/>"#
        );
    }

    /// An ad-hoc sub-process, run by the engine or by a job; what it holds is named after it.
    fn ad_hoc(&mut self) -> String {
        let id = self.name("adhoc");
        let by_job = self.dice.roll(2) == 0;
        let first = service_task(&format!("{id}_a"), "work");
        let first = self.repeated(&first);
        let next = service_task(&format!("{id}_c"), "work");
        let follows = flow(&format!("{id}_f"), &format!("{id}_b"), &format!("{id}_c"));
        let collected = r#"outputCollection="all" outputElement="=x""#;
        let (attributes, extensions, until) = if by_job {
            let job = r#"<zeebe:taskDefinition type="work"/>"#;
            (
                String::new(),
                format!("{job}<zeebe:adHoc {collected}/>"),
                String::new(),
            )
        } else {
            let cancel = self.dice.roll(2) == 0;
            let until = match self.dice.roll(3) {
                0 => String::new(),
                n => format!("<bpmn:completionCondition>=x = {n}</bpmn:completionCondition>"),
            };
            (
                format!(r#" cancelRemainingInstances="{cancel}""#),
                format!(
                    r#"<zeebe:adHoc activeElementsCollection="=[&quot;{id}_a&quot;,&quot;{id}_b&quot;]" {collected}/>"#
                ),
                until,
            )
        };
        let marked = format!(
            r#"<bpmn:adHocSubProcess id="{id}"{attributes}><bpmn:extensionElements>{extensions}</bpmn:extensionElements>
{first}<bpmn:manualTask id="{id}_b"/>{next}{follows}{until}</bpmn:adHocSubProcess>"#
        );
        let marked = self.repeated(&marked);
        self.content += &marked;
        self.boundaries(&id);
        id
    }

    /// The activity, sometimes with a multi-instance marker.
    fn repeated(&mut self, activity: &str) -> String {
        let sequential = match self.dice.roll(6) {
            0 => true,
            1 => false,
            _ => return activity.to_owned(),
        };
        let extensions = "</bpmn:extensionElements>";
        activity.replacen(
            extensions,
            &format!(
                r#"{extensions}<bpmn:multiInstanceLoopCharacteristics isSequential="{sequential}"><bpmn:extensionElements>
<zeebe:loopCharacteristics inputCollection="=[1,2,3]" inputElement="item"/></bpmn:extensionElements>
</bpmn:multiInstanceLoopCharacteristics>"#
            ),
            1,
        )
    }

    fn block(&mut self, depth: u32) -> (String, String) {
        let sides = if depth == 0 { 5 } else { 11 };
        let id = match self.dice.roll(sides) {
            0 => {
                let id = self.name("job");
                let task = service_task(&id, "work");
                let task = self.repeated(&task);
                self.content += &task;
                self.boundaries(&id);
                id
            }
            1 => {
                let id = self.name("user");
                self.content += &format!(
                    r#"<bpmn:userTask id="{id}"><bpmn:extensionElements><zeebe:userTask/></bpmn:extensionElements></bpmn:userTask>"#
                );
                self.boundaries(&id);
                id
            }
            2 => {
                let id = self.name("catch");
                let definition = self.catch_definition();
                self.content += &format!(
                    r#"<bpmn:intermediateCatchEvent id="{id}">{definition}</bpmn:intermediateCatchEvent>"#
                );
                id
            }
            3 => {
                let id = self.name("receive");
                self.content += &format!(r#"<bpmn:receiveTask id="{id}" messageRef="m2"/>"#);
                id
            }
            4 => {
                let id = self.name("throw");
                let what = match self.dice.roll(3) {
                    0 if !self.quiet => r#"<bpmn:signalEventDefinition signalRef="s"/>"#,
                    1 => "<bpmn:compensateEventDefinition/>",
                    _ => r#"<bpmn:escalationEventDefinition escalationRef="esc"/>"#,
                };
                self.content += &format!(
                    r#"<bpmn:intermediateThrowEvent id="{id}">{what}</bpmn:intermediateThrowEvent>"#
                );
                id
            }
            5 | 6 => {
                let (first, a) = self.block(depth - 1);
                let (b, last) = self.block(depth - 1);
                self.flow(&a, &b);
                return (first, last);
            }
            7 => return self.gateway(),
            8 if self.calls => {
                let id = self.name("call");
                let call = format!(
                    r#"<bpmn:callActivity id="{id}"><bpmn:extensionElements><zeebe:calledElement processId="child"/></bpmn:extensionElements></bpmn:callActivity>"#
                );
                let call = self.repeated(&call);
                self.content += &call;
                self.boundaries(&id);
                id
            }
            8 => return self.fork(depth),
            9 => self.ad_hoc(),
            _ => self.sub_process(depth),
        };
        (id.clone(), id)
    }

    fn fork(&mut self, depth: u32) -> (String, String) {
        let (fork, join) = (self.name("fork"), self.name("join"));
        for id in [&fork, &join] {
            self.content += &format!(r#"<bpmn:parallelGateway id="{id}"/>"#);
        }
        for _ in 0..2 {
            let (first, last) = self.block(depth - 1);
            self.flow(&fork, &first);
            self.flow(&last, &join);
        }
        (fork, join)
    }

    fn gateway(&mut self) -> (String, String) {
        let (gateway, join) = (self.name("gateway"), self.name("join"));
        self.content += &format!(
            r#"<bpmn:eventBasedGateway id="{gateway}"/><bpmn:exclusiveGateway id="{join}"/>"#
        );
        for which in 0..2 + self.dice.roll(3) {
            let definition = self.definition(true, which);
            let id = self.name("event");
            self.content += &format!(
                r#"<bpmn:intermediateCatchEvent id="{id}">{definition}</bpmn:intermediateCatchEvent>"#
            );
            self.flow(&gateway, &id);
            self.flow(&id, &join);
        }
        (gateway, join)
    }

    fn sub_process(&mut self, depth: u32) -> String {
        let id = self.name("sub");
        let outer = std::mem::take(&mut self.content);
        let start = self.name("start");
        self.content += &format!(r#"<bpmn:startEvent id="{start}"/>"#);
        let (first, last) = self.block(depth - 1);
        self.flow(&start, &first);
        match self.dice.roll(5) {
            2 => {
                let end = self.name("end");
                self.content += &format!(
                    r#"<bpmn:endEvent id="{end}"><bpmn:compensateEventDefinition/></bpmn:endEvent>"#
                );
                self.flow(&last, &end);
            }
            0 => {
                let end = self.name("end");
                self.content += &format!(
                    r#"<bpmn:endEvent id="{end}"><bpmn:escalationEventDefinition escalationRef="esc"/></bpmn:endEvent>"#
                );
                self.flow(&last, &end);
            }
            1 => {
                let end = self.name("end");
                self.content += &format!(
                    r#"<bpmn:endEvent id="{end}"><bpmn:terminateEventDefinition/></bpmn:endEvent>"#
                );
                self.flow(&last, &end);
            }
            _ => {}
        }
        self.event_sub_processes();
        let inner = std::mem::replace(&mut self.content, outer);
        self.content += &format!(r#"<bpmn:subProcess id="{id}">{inner}</bpmn:subProcess>"#);
        let (caught, interrupting) = (self.name("escalated"), self.dice.roll(2) == 0);
        self.content += &format!(
            r#"<bpmn:boundaryEvent id="{caught}" attachedToRef="{id}" cancelActivity="{interrupting}"><bpmn:escalationEventDefinition escalationRef="esc"/></bpmn:boundaryEvent>"#
        );
        self.end(&caught);
        if self.dice.roll(4) == 0 {
            self.compensated(&id);
        }
        if self.dice.roll(2) == 0 {
            // Names of the event sub-processes and of the boundary events must differ.
            let caught = self.name("timeout");
            let duration = timer("timeDuration", "PT40S");
            self.content += &format!(
                r#"<bpmn:boundaryEvent id="{caught}" attachedToRef="{id}">{duration}</bpmn:boundaryEvent>"#
            );
            self.end(&caught);
        }
        id
    }

    fn event_sub_processes(&mut self) {
        let first = self.dice.roll(5);
        for n in 0..self.dice.roll(3) {
            let interrupting = self.dice.roll(2) == 0;
            let definition = self.definition(interrupting, first + n);
            let (id, start) = (self.name("handler"), self.name("start"));
            let outer = std::mem::take(&mut self.content);
            self.content += &format!(
                r#"<bpmn:startEvent id="{start}" isInterrupting="{interrupting}">{definition}</bpmn:startEvent>"#
            );
            self.quiet = true;
            let (first, last) = self.block(0);
            self.quiet = false;
            self.flow(&start, &first);
            self.end(&last);
            let inner = std::mem::replace(&mut self.content, outer);
            self.content += &format!(
                r#"<bpmn:subProcess id="{id}" triggeredByEvent="true">{inner}</bpmn:subProcess>"#
            );
        }
    }
}

fn timer(kind: &str, text: &str) -> String {
    format!(
        r#"<bpmn:timerEventDefinition><bpmn:{kind}>{text}</bpmn:{kind}></bpmn:timerEventDefinition>"#
    )
}

/// Holds while x is at least this.
fn condition(x: u64) -> String {
    format!(
        r#"<bpmn:conditionalEventDefinition><bpmn:condition>=x &gt;= {x}</bpmn:condition></bpmn:conditionalEventDefinition>"#
    )
}

fn message(name: &str) -> String {
    format!(r#"<bpmn:messageEventDefinition messageRef="{name}"/>"#)
}

pub(crate) fn process(seed: u64, id: &str) -> String {
    let salt = if id == "child" { 3 } else { 1 };
    let mut builder = Builder {
        dice: Dice(seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(salt) | 1),
        next: 0,
        content: String::new(),
        calls: id != "child",
        quiet: false,
    };
    let start = builder.name("start");
    builder.content += &format!(r#"<bpmn:startEvent id="{start}"/>"#);
    let (first, last) = builder.block(if id == "child" { 1 } else { 3 });
    builder.flow(&start, &first);
    if builder.dice.roll(2) == 0 {
        let undo = builder.name("undo");
        builder.content += &format!(
            r#"<bpmn:intermediateThrowEvent id="{undo}"><bpmn:compensateEventDefinition/></bpmn:intermediateThrowEvent>"#
        );
        builder.flow(&last, &undo);
        builder.end(&undo);
    } else {
        builder.end(&last);
    }
    builder.event_sub_processes();
    bpmn(id, &builder.content).replace("<bpmn:process", &format!("{ROOTS}<bpmn:process"))
}

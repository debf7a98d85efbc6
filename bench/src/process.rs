//! Processes that benchmarks deploy.
//!
//! Each is BPMN text made by a function, so that its length is a parameter.

use std::fmt::Write as _;

fn wrap(body: &str) -> String {
    format!(
        r#"<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"
 xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" targetNamespace="bench">
<bpmn:process id="p" isExecutable="true">{body}</bpmn:process></bpmn:definitions>"#
    )
}

/// Start event, one service task of type `work`, end event.
#[must_use]
pub fn one_task() -> String {
    wrap(
        r#"<bpmn:startEvent id="s"/>
<bpmn:serviceTask id="t"><bpmn:extensionElements><zeebe:taskDefinition type="work"/>
</bpmn:extensionElements></bpmn:serviceTask><bpmn:endEvent id="e"/>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="e"/>"#,
    )
}

/// Start event, `count` manual tasks in a row, end event: elements that wait for nothing.
#[must_use]
pub fn manual_tasks(count: usize) -> String {
    chain(count, |body, at| {
        write!(
            body,
            r#"<bpmn:manualTask id="t{at}"/>
<bpmn:sequenceFlow id="f{}" sourceRef="t{at}" targetRef="t{}"/>"#,
            at + 1,
            at + 1
        )
    })
}

/// Start event, a manual task for each of `count` items at once, end event.
#[must_use]
pub fn parallel_loop(count: usize) -> String {
    wrap(&format!(
        r#"<bpmn:startEvent id="s"/><bpmn:manualTask id="t"><bpmn:multiInstanceLoopCharacteristics>
<bpmn:extensionElements><zeebe:loopCharacteristics
 inputCollection="= for i in 1..{count} return i" inputElement="item"/></bpmn:extensionElements>
</bpmn:multiInstanceLoopCharacteristics></bpmn:manualTask><bpmn:endEvent id="e"/>
<bpmn:sequenceFlow id="f1" sourceRef="s" targetRef="t"/>
<bpmn:sequenceFlow id="f2" sourceRef="t" targetRef="e"/>"#
    ))
}

/// As [`manual_tasks`], of exclusive gateways that evaluate `condition` and go on if it holds.
#[must_use]
pub fn gateways(count: usize, condition: &str) -> String {
    chain(count, |body, at| {
        write!(
            body,
            r#"<bpmn:exclusiveGateway id="t{at}" default="d{at}"/>
<bpmn:sequenceFlow id="d{at}" sourceRef="t{at}" targetRef="other"/>
<bpmn:sequenceFlow id="f{}" sourceRef="t{at}" targetRef="t{}">
<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">= {condition}
</bpmn:conditionExpression></bpmn:sequenceFlow>"#,
            at + 1,
            at + 1
        )
    })
}

fn chain(count: usize, element: impl Fn(&mut String, usize) -> std::fmt::Result) -> String {
    let mut body = String::from(
        r#"<bpmn:startEvent id="s"/><bpmn:endEvent id="other"/>
<bpmn:sequenceFlow id="f0" sourceRef="s" targetRef="t0"/>"#,
    );
    for at in 0..count {
        element(&mut body, at).expect("a string takes everything");
    }
    write!(body, r#"<bpmn:endEvent id="t{count}"/>"#).expect("a string takes everything");
    wrap(&body)
}

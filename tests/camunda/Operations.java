import java.util.Map;

/** Scenarios whose models are written as XML: newer constructs, and what operators do to instances. */
final class Operations {
  private final Map<String, Scenarios.Scenario> scenarios;

  Operations(Map<String, Scenarios.Scenario> scenarios) {
    this.scenarios = scenarios;
  }

  void all() {
    modification();
    migration();
    adHoc();
    compensation();
    conditional();
    userTasks();
    decisions();
    wide();
    boundaries();
    nested();
    jobs();
    messages();
    creation();
    gateways();
  }

  private void add(String name, Scenarios.Scenario scenario) {
    scenarios.put(name, scenario);
  }

  /** A file with process {@code id} and what else is declared beside it. */
  private static String file(String id, String declared, String... content) {
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        + "<bpmn:definitions xmlns:bpmn=\"http://www.omg.org/spec/BPMN/20100524/MODEL\""
        + " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\""
        + " xmlns:zeebe=\"http://camunda.org/schema/zeebe/1.0\" id=\"definitions\" targetNamespace=\"t\">"
        + "<bpmn:process id=\"" + id + "\" isExecutable=\"true\">" + String.join("", content)
        + "</bpmn:process>" + declared + "</bpmn:definitions>";
  }

  private static String p(String... content) {
    return file("p", "", content);
  }

  private static String node(String kind, String id, String... content) {
    return "<bpmn:" + kind + " id=\"" + id + "\">" + String.join("", content) + "</bpmn:" + kind + ">";
  }

  private static String extended(String content) {
    return "<bpmn:extensionElements>" + content + "</bpmn:extensionElements>";
  }

  private static String job(String type) {
    return extended("<zeebe:taskDefinition type=\"" + type + "\"/>");
  }

  private static String task(String id, String type) {
    return node("serviceTask", id, job(type));
  }

  private static String user(String id, String more) {
    return node("userTask", id, extended("<zeebe:userTask/>" + more));
  }

  private static String listener(String event, String type) {
    return "<zeebe:taskListeners><zeebe:taskListener eventType=\"" + event + "\" type=\"" + type
        + "\"/></zeebe:taskListeners>";
  }

  private static String mapping(String direction, String source, String target) {
    return "<zeebe:ioMapping><zeebe:" + direction + " source=\"" + source + "\" target=\"" + target
        + "\"/></zeebe:ioMapping>";
  }

  private static String boundary(String id, String host, boolean interrupting, String definition) {
    return "<bpmn:boundaryEvent id=\"" + id + "\" attachedToRef=\"" + host + "\" cancelActivity=\""
        + interrupting + "\">" + definition + "</bpmn:boundaryEvent>";
  }

  private static String eventSubProcess(String id, boolean interrupting, String definition, String body) {
    return "<bpmn:subProcess id=\"" + id + "\" triggeredByEvent=\"true\"><bpmn:startEvent id=\"" + id
        + "_s\" isInterrupting=\"" + interrupting + "\">" + definition + "</bpmn:startEvent>" + body
        + "</bpmn:subProcess>";
  }

  private static String condition(String text) {
    return "<bpmn:conditionalEventDefinition id=\"condition\"><bpmn:condition xsi:type=\"bpmn:tFormalExpression\">=" + text
        + "</bpmn:condition></bpmn:conditionalEventDefinition>";
  }

  private static String timer(String duration) {
    return "<bpmn:timerEventDefinition><bpmn:timeDuration xsi:type=\"bpmn:tFormalExpression\">" + duration
        + "</bpmn:timeDuration></bpmn:timerEventDefinition>";
  }

  private static String refers(String kind, String to) {
    return "<bpmn:" + kind + "EventDefinition " + kind + "Ref=\"" + to + "\"/>";
  }

  private static String message(String id, String name) {
    return "<bpmn:message id=\"" + id + "\" name=\"" + name
        + "\"><bpmn:extensionElements><zeebe:subscription correlationKey=\"=id\"/>"
        + "</bpmn:extensionElements></bpmn:message>";
  }

  private static String loop(String attributes, String condition) {
    return "<bpmn:multiInstanceLoopCharacteristics>"
        + extended("<zeebe:loopCharacteristics " + attributes + "/>")
        + (condition.isEmpty() ? "" : "<bpmn:completionCondition xsi:type=\"bpmn:tFormalExpression\">="
            + condition + "</bpmn:completionCondition>")
        + "</bpmn:multiInstanceLoopCharacteristics>";
  }

  /** Flows between neighbours. */
  private static String path(String... ids) {
    var flows = new StringBuilder();
    for (int at = 1; at < ids.length; at++) {
      flows.append("<bpmn:sequenceFlow id=\"").append(ids[at - 1]).append('_').append(ids[at])
          .append("\" sourceRef=\"").append(ids[at - 1]).append("\" targetRef=\"").append(ids[at])
          .append("\"/>");
    }
    return flows.toString();
  }

  private static String ends(String... ids) {
    var events = new StringBuilder();
    for (var id : ids) {
      events.append(node("endEvent", id));
    }
    return events.toString();
  }

  private static final String S = node("startEvent", "s");

  private static String two() {
    return p(S, task("a", "a"), task("b", "b"), ends("e"), path("s", "a", "b", "e"));
  }

  private static String inner() {
    return p(S, node("subProcess", "sub", node("startEvent", "is"), task("a", "a"), task("b", "b"),
        ends("ie"), path("is", "a", "b", "ie")), boundary("bt", "sub", true, timer("PT1H")),
        ends("e", "late"), path("s", "sub", "e"), path("bt", "late"));
  }

  private void modification() {
    add("modify-activate", p -> p.deploy(two(), "p.bpmn").create("{}").modify("b", null)
        .complete("b", "{}").complete("a", "{}"));
    add("modify-move", p -> p.deploy(two(), "p.bpmn").create("{\"v\":1}").modify("b", "a")
        .complete("b", "{}"));
    add("modify-terminate-last", p -> p.deploy(two(), "p.bpmn").create("{}").modify(null, "a"));
    add("modify-into-sub-process", p -> p
        .deploy(p(S, task("t", "t"), node("subProcess", "sub", node("startEvent", "is"), task("a", "a"),
            ends("ie"), path("is", "a", "ie")), boundary("bt", "sub", true, timer("PT1H")),
            ends("e", "late"), path("s", "t", "sub", "e"), path("bt", "late")), "p.bpmn")
        .create("{}").modify("a", "t").complete("a", "{\"r\":1}"));
    add("modify-beside-in-sub-process", p -> p.deploy(inner(), "p.bpmn").create("{}").modify("b", "a")
        .complete("b", "{}"));
    add("modify-terminate-sub-process", p -> p.deploy(inner(), "p.bpmn").create("{}").modify(null, "sub"));
    add("modify-refused-unknown", p -> p.deploy(two(), "p.bpmn").create("{}").modify("nowhere", null));
    add("modify-refused-start", p -> p.deploy(two(), "p.bpmn").create("{}").modify("s", null));
    add("modify-refused-boundary", p -> p.deploy(inner(), "p.bpmn").create("{}").modify("bt", null));
    add("modify-event-sub-process", p -> p
        .deploy(file("p", message("m", "msg"), S, task("a", "a"), ends("e"), path("s", "a", "e"),
            eventSubProcess("ev", false, refers("message", "m"),
                task("x", "x") + ends("ee") + path("ev_s", "x", "ee"))), "p.bpmn")
        .create("{\"id\":\"1\"}").modify("x", null).complete("x", "{}").complete("a", "{}"));
  }

  private void migration() {
    add("migrate-task", p -> p.deploy(two(), "p.bpmn").create("{\"v\":1}")
        .deploy(file("q", "", S, task("a2", "a"), task("b2", "b"), ends("e"), path("s", "a2", "b2", "e")),
            "q.bpmn").migrate("a", "a2").complete("a", "{}").complete("b", "{}"));
    add("migrate-adds-boundary", p -> p.deploy(two(), "p.bpmn").create("{\"id\":\"7\"}")
        .deploy(file("q", message("m", "msg"), S, task("a", "a"), boundary("bm", "a", true,
            refers("message", "m")), boundary("bt", "a", false, timer("PT1H")), ends("e", "late", "l2"),
            path("s", "a", "e"), path("bm", "late"), path("bt", "l2")), "q.bpmn")
        .migrate("a", "a").publish("msg", "7", "{\"got\":1}"));
    add("migrate-message-catch", p -> p
        .deploy(file("p", message("m", "msg"), S, node("intermediateCatchEvent", "c",
            refers("message", "m")), ends("e"), path("s", "c", "e")), "p.bpmn").create("{\"id\":\"1\"}")
        .deploy(file("q", message("m", "msg"), S, node("intermediateCatchEvent", "d",
            refers("message", "m")), task("t", "t"), ends("e"), path("s", "d", "t", "e")), "q.bpmn")
        .migrate("c", "d").publish("msg", "1", "{\"v\":1}"));
    add("migrate-timer-catch", p -> p
        .deploy(p(S, node("intermediateCatchEvent", "c", timer("PT1H")), ends("e"), path("s", "c", "e")),
            "p.bpmn").create("{}")
        .deploy(file("q", "", S, node("intermediateCatchEvent", "d", timer("PT2H")), ends("e"),
            path("s", "d", "e")), "q.bpmn").migrate("c", "d"));
    add("migrate-sub-process", p -> p.deploy(inner(), "p.bpmn").create("{}")
        .deploy(inner().replace("\"p\"", "\"q\""), "q.bpmn").migrate("sub", "sub", "a", "a", "bt", "bt")
        .complete("a", "{}").complete("b", "{}"));
    add("migrate-user-task", p -> p
        .deploy(p(S, user("u", ""), ends("e"), path("s", "u", "e")), "p.bpmn").create("{}")
        .deploy(file("q", "", S, user("u2", ""), ends("e"), path("s", "u2", "e")), "q.bpmn")
        .migrate("u", "u2").completeTask("{}"));
    add("migrate-user-task-of-job", p -> p
        .deploy(p(S, node("userTask", "u", extended("<zeebe:assignmentDefinition assignee=\"ann\""
            + " candidateGroups=\"g,h\"/>")), ends("e"), path("s", "u", "e")), "p.bpmn").create("{}")
        .deploy(file("q", "", S, user("u2", ""), ends("e"), path("s", "u2", "e")), "q.bpmn")
        .migrate("u", "u2"));
    add("migrate-incident", p -> p
        .deploy(p(S, node("serviceTask", "a", job("=kind")), ends("e"), path("s", "a", "e")), "p.bpmn")
        .create("{}")
        .deploy(file("q", "", S, task("a", "a"), ends("e"), path("s", "a", "e")), "q.bpmn")
        .migrate("a", "a").resolve().complete("a", "{}"));
    add("migrate-multi-instance", p -> p
        .deploy(p(S, node("serviceTask", "a", job("a"), loop("inputCollection=\"=[1,2]\"", "")), ends("e"),
            path("s", "a", "e")), "p.bpmn").create("{}")
        .deploy(file("q", "", S, node("serviceTask", "a", job("a"), loop("inputCollection=\"=[1,2]\"", "")),
            ends("e"), path("s", "a", "e")), "q.bpmn")
        .migrate("a", "a").complete("a", "{}").complete("a", "{}"));
    add("migrate-call-activity", p -> p
        .deploy(file("child", "", S, task("ct", "ct"), ends("e"), path("s", "ct", "e")), "child.bpmn")
        .deploy(p(S, node("callActivity", "c", extended("<zeebe:calledElement processId=\"child\"/>")),
            ends("e"), path("s", "c", "e")), "p.bpmn").create("{}")
        .deploy(file("q", "", S, node("callActivity", "d",
            extended("<zeebe:calledElement processId=\"child\"/>")), ends("e"), path("s", "d", "e")),
            "q.bpmn").migrate("c", "d").complete("ct", "{}"));
    add("migrate-refused-unmapped", p -> p.deploy(two(), "p.bpmn").create("{}")
        .deploy(file("q", "", S, task("b", "b"), ends("e"), path("s", "b", "e")), "q.bpmn")
        .migrate("b", "b"));
    add("migrate-refused-type", p -> p.deploy(two(), "p.bpmn").create("{}")
        .deploy(file("q", "", S, user("a", ""), ends("e"), path("s", "a", "e")), "q.bpmn")
        .migrate("a", "a"));
    add("migrate-refused-target", p -> p.deploy(two(), "p.bpmn").create("{}")
        .deploy(file("q", "", S, task("b", "b"), ends("e"), path("s", "b", "e")), "q.bpmn")
        .migrate("a", "nowhere"));
    add("migrate-join", p -> p
        .deploy(p(S, node("parallelGateway", "f"), task("a", "a"), task("b", "b"),
            node("parallelGateway", "j"), ends("e"), path("s", "f", "a", "j", "e"), path("f", "b", "j")),
            "p.bpmn").create("{}").complete("a", "{}")
        .deploy(file("q", "", S, node("parallelGateway", "f"), task("a", "a"), task("b", "b"),
            node("parallelGateway", "j"), ends("e"), path("s", "f", "a", "j", "e"), path("f", "b", "j")),
            "q.bpmn").migrate("b", "b", "j", "j").complete("b", "{}"));
  }

  private static String adHocProcess(String attributes, String extensions, String condition) {
    return p(S, "<bpmn:adHocSubProcess id=\"ah\"" + attributes + ">" + extended(extensions)
        + task("a", "a") + task("b", "b") + task("c", "c") + path("b", "c") + condition
        + "</bpmn:adHocSubProcess>", ends("e"), path("s", "ah", "e"));
  }

  private static String until(String text) {
    return "<bpmn:completionCondition xsi:type=\"bpmn:tFormalExpression\">=" + text
        + "</bpmn:completionCondition>";
  }

  private void adHoc() {
    var named = "<zeebe:adHoc activeElementsCollection=\"=which\"/>";
    add("ad-hoc-collection", p -> p.deploy(adHocProcess("", named, ""), "p.bpmn")
        .create("{\"which\":[\"a\",\"b\"]}").complete("a", "{\"x\":1}").complete("b", "{}")
        .complete("c", "{}"));
    add("ad-hoc-client", p -> p.deploy(adHocProcess("", "", ""), "p.bpmn").create("{}")
        .activateInside("ah", "a", false).complete("a", "{}"));
    add("ad-hoc-client-cancels", p -> p.deploy(adHocProcess("", named, ""), "p.bpmn")
        .create("{\"which\":[\"a\"]}").activateInside("ah", "b", true));
    add("ad-hoc-client-refused", p -> p.deploy(adHocProcess("", "", ""), "p.bpmn").create("{}")
        .activateInside("ah", "c", false).activateInside("ah", "nowhere", false));
    add("ad-hoc-condition", p -> p.deploy(adHocProcess("", named, until("done")), "p.bpmn")
        .create("{\"which\":[\"a\",\"b\"],\"done\":false}").complete("a", "{\"done\":true}"));
    add("ad-hoc-condition-waits", p -> p
        .deploy(adHocProcess(" cancelRemainingInstances=\"false\"", named, until("done")), "p.bpmn")
        .create("{\"which\":[\"a\",\"b\"],\"done\":false}").complete("a", "{\"done\":true}")
        .complete("b", "{}").complete("c", "{}"));
    add("ad-hoc-output", p -> p
        .deploy(adHocProcess("", "<zeebe:adHoc activeElementsCollection=\"=which\""
            + " outputCollection=\"results\" outputElement=\"=x\"/>", ""), "p.bpmn")
        .create("{\"which\":[\"a\",\"b\"]}").complete("a", "{\"x\":1}").complete("b", "{\"x\":2}")
        .complete("c", "{}"));
    add("ad-hoc-job", p -> p
        .deploy(adHocProcess("", "<zeebe:taskDefinition type=\"agent\"/>", ""), "p.bpmn").create("{}")
        .complete("agent", "{}"));
    add("ad-hoc-job-fails", p -> p
        .deploy(adHocProcess("", "<zeebe:taskDefinition type=\"agent\"/>", ""), "p.bpmn").create("{}")
        .fail("agent", 0));
    add("ad-hoc-cancel", p -> p.deploy(adHocProcess("", named, ""), "p.bpmn")
        .create("{\"which\":[\"a\",\"b\"]}").cancel());
    add("ad-hoc-no-list", p -> p.deploy(adHocProcess("", named, ""), "p.bpmn").create("{\"which\":1}"));
    add("ad-hoc-unknown", p -> p.deploy(adHocProcess("", named, ""), "p.bpmn")
        .create("{\"which\":[\"a\",\"c\"]}"));
  }

  private static String compensable(String id, String type) {
    return task(id, type) + "<bpmn:boundaryEvent id=\"" + id + "_c\" attachedToRef=\"" + id
        + "\"><bpmn:compensateEventDefinition id=\"c_" + id + "\"/></bpmn:boundaryEvent>"
        + "<bpmn:serviceTask id=\"undo_" + id + "\" isForCompensation=\"true\">" + job("undo_" + id)
        + "</bpmn:serviceTask>";
  }

  /** What connects activities with their handlers; the schema wants it behind everything else. */
  private static String handled(String... ids) {
    var associations = new StringBuilder();
    for (var id : ids) {
      associations.append("<bpmn:association id=\"as_").append(id)
          .append("\" associationDirection=\"One\" sourceRef=\"").append(id)
          .append("_c\" targetRef=\"undo_").append(id).append("\"/>");
    }
    return associations.toString();
  }

  private static String undo(String reference) {
    return "<bpmn:compensateEventDefinition id=\"compensation\"" + reference + "/>";
  }

  private void compensation() {
    add("compensation-end", p -> p
        .deploy(p(S, compensable("a", "a"), compensable("b", "b"), node("endEvent", "e", undo("")),
            path("s", "a", "b", "e"), handled("a", "b")), "p.bpmn").create("{}").complete("a", "{\"x\":1}")
        .complete("b", "{}").complete("undo_b", "{}").complete("undo_a", "{\"u\":1}"));
    add("compensation-one", p -> p
        .deploy(p(S, compensable("a", "a"), compensable("b", "b"), node("endEvent", "e",
            undo(" activityRef=\"a\"")), path("s", "a", "b", "e"), handled("a", "b")), "p.bpmn").create("{}")
        .complete("a", "{}").complete("b", "{}").complete("undo_a", "{}"));
    add("compensation-sub-process", p -> p
        .deploy(p(S, node("subProcess", "sub", node("startEvent", "is"), compensable("a", "a"), ends("ie"),
            path("is", "a", "ie"), handled("a")), node("intermediateThrowEvent", "th", undo("")), ends("e"),
            path("s", "sub", "th", "e")), "p.bpmn").create("{}").complete("a", "{\"x\":1}")
        .complete("undo_a", "{}"));
    add("compensation-nothing", p -> p
        .deploy(p(S, task("a", "a"), node("endEvent", "e", undo("")), path("s", "a", "e")), "p.bpmn")
        .create("{}").complete("a", "{}"));
    add("compensation-not-thrown", p -> p
        .deploy(p(S, compensable("a", "a"), ends("e"), path("s", "a", "e"), handled("a")), "p.bpmn").create("{}")
        .complete("a", "{}"));
    add("compensation-cancel", p -> p
        .deploy(p(S, compensable("a", "a"), node("endEvent", "e", undo("")), path("s", "a", "e"),
            handled("a")), "p.bpmn")
        .create("{}").complete("a", "{}").cancel());
    add("compensation-multi-instance", p -> p
        .deploy(p(S, compensable("a", "a").replace(job("a") + "</bpmn:serviceTask>",
            job("a") + loop("inputCollection=\"=[1,2]\"", "") + "</bpmn:serviceTask>"),
            node("endEvent", "e", undo("")), path("s", "a", "e"), handled("a")), "p.bpmn")
        .create("{}").complete("a", "{}").complete("a", "{}").complete("undo_a", "{}"));
    add("compensation-from-event-sub-process", p -> p
        .deploy(file("p", message("m", "msg"), S, compensable("a", "a"), task("b", "b"), ends("e"),
            path("s", "a", "b", "e"), eventSubProcess("ev", true, refers("message", "m"),
                node("endEvent", "ee", undo("")) + path("ev_s", "ee")), handled("a")), "p.bpmn")
        .create("{\"id\":\"1\"}").complete("a", "{}").publish("msg", "1", "{}").complete("undo_a", "{}"));
  }

  private void conditional() {
    add("conditional-catch", p -> p
        .deploy(p(S, node("intermediateCatchEvent", "c", condition("x &gt; 1")), ends("e"),
            path("s", "c", "e")), "p.bpmn").create("{}").set("{\"x\":1}").set("{\"x\":2}"));
    add("conditional-at-once", p -> p
        .deploy(p(S, node("intermediateCatchEvent", "c", condition("x &gt; 1")), ends("e"),
            path("s", "c", "e")), "p.bpmn").create("{\"x\":5}"));
    add("conditional-boundary", p -> p
        .deploy(p(S, task("a", "a"), boundary("b", "a", true, condition("x = 1")), ends("e", "l"),
            path("s", "a", "e"), path("b", "l")), "p.bpmn").create("{}").set("{\"x\":1}"));
    add("conditional-boundary-non-interrupting", p -> p
        .deploy(p(S, task("a", "a"), boundary("b", "a", false, condition("x = 1")), ends("e", "l"),
            path("s", "a", "e"), path("b", "l")), "p.bpmn").create("{}").set("{\"x\":1}")
        .set("{\"x\":1,\"y\":2}").complete("a", "{\"x\":2}"));
    add("conditional-event-sub-process", p -> p
        .deploy(p(S, task("a", "a"), ends("e"), path("s", "a", "e"),
            eventSubProcess("ev", true, condition("x = 1"), ends("ee") + path("ev_s", "ee"))), "p.bpmn")
        .create("{}").set("{\"x\":1}"));
    add("conditional-event-based", p -> p
        .deploy(p(S, node("eventBasedGateway", "g", "<bpmn:outgoing>g_c</bpmn:outgoing>",
            "<bpmn:outgoing>g_t</bpmn:outgoing>"), node("intermediateCatchEvent", "c",
            condition("x = 1")), node("intermediateCatchEvent", "t", timer("PT1H")), ends("e", "l"),
            path("s", "g", "c", "e"), path("g", "t", "l")), "p.bpmn").create("{}").set("{\"x\":1}"));
    add("conditional-start", p -> p
        .deploy(p(node("startEvent", "s", condition("x = 1")), ends("e"), path("s", "e")), "p.bpmn")
        .evaluateConditions("{\"x\":2}").evaluateConditions("{\"x\":1}"));
    add("conditional-left", p -> p
        .deploy(p(S, task("a", "a"), boundary("b", "a", true, condition("x = 1")), ends("e", "l"),
            path("s", "a", "e"), path("b", "l")), "p.bpmn").create("{}").complete("a", "{}"));
    add("conditional-by-result", p -> p
        .deploy(p(S, task("a", "a"), ends("e"), path("s", "a", "e"),
            eventSubProcess("ev", false, condition("x = 1"), ends("ee") + path("ev_s", "ee"))), "p.bpmn")
        .create("{}").complete("a", "{\"x\":1}"));
  }

  private static String userProcess(String more) {
    return p(S, user("u", more), ends("e"), path("s", "u", "e"));
  }

  private void userTasks() {
    add("user-task-complete", p -> p.deploy(userProcess(""), "p.bpmn").create("{}").assignTask("ann")
        .prioritizeTask(80).completeTask("{\"r\":1}"));
    add("user-task-first-assignee", p -> p
        .deploy(userProcess("<zeebe:assignmentDefinition assignee=\"=who\"/>"), "p.bpmn")
        .create("{\"who\":\"ann\"}").assignTask("bob").completeTask("{}"));
    add("task-listener-assigning", p -> p.deploy(userProcess(listener("assigning", "l")), "p.bpmn")
        .create("{}").assignTask("ann").completeListener("l", false, "bob"));
    add("task-listener-assigning-denied", p -> p
        .deploy(userProcess(listener("assigning", "l")), "p.bpmn").create("{}").assignTask("ann")
        .completeListener("l", true, null));
    add("task-listener-completing", p -> p.deploy(userProcess(listener("completing", "l")), "p.bpmn")
        .create("{}").completeTask("{\"r\":1}").completeListener("l", false, null));
    add("task-listener-completing-denied", p -> p
        .deploy(userProcess(listener("completing", "l")), "p.bpmn").create("{}").completeTask("{}")
        .completeListener("l", true, null));
    add("task-listener-updating", p -> p.deploy(userProcess(listener("updating", "l")), "p.bpmn")
        .create("{}").prioritizeTask(10).completeListener("l", false, null));
    add("task-listener-updating-variables", p -> p
        .deploy(userProcess(listener("updating", "l")), "p.bpmn").create("{\"v\":1}"));
    add("task-listener-first-assignee", p -> p
        .deploy(userProcess("<zeebe:assignmentDefinition assignee=\"ann\"/>" + listener("assigning", "l")),
            "p.bpmn").create("{}").completeListener("l", false, null));
    add("task-listener-no-retries", p -> p.deploy(userProcess(listener("creating", "l")), "p.bpmn")
        .create("{}").fail("l", 0));
    add("task-listener-cancel-during-completing", p -> p
        .deploy(userProcess(listener("completing", "l")), "p.bpmn").create("{}").completeTask("{}")
        .cancel());
    add("user-task-refused", p -> p.deploy(userProcess(listener("completing", "l")), "p.bpmn")
        .create("{}").completeTask("{}").completeTask("{}").assignTask("ann"));
    add("user-task-form-missing", p -> p
        .deploy(userProcess("<zeebe:formDefinition formId=\"nowhere\"/>"), "p.bpmn").create("{}"));
    add("user-task-boundary", p -> p
        .deploy(p(S, user("u", ""), boundary("b", "u", true, timer("PT0.5S")), ends("e", "l"),
            path("s", "u", "e"), path("b", "l")), "p.bpmn").create("{}").pass(1500));
  }

  private static String table(String hit, String... rules) {
    var rows = new StringBuilder();
    for (int at = 0; at < rules.length; at += 2) {
      rows.append("<rule id=\"r").append(at / 2).append("\"><inputEntry id=\"ie").append(at)
          .append("\"><text>").append(rules[at]).append("</text></inputEntry><outputEntry id=\"oe")
          .append(at).append("\"><text>").append(rules[at + 1]).append("</text></outputEntry></rule>");
    }
    return "<?xml version=\"1.0\" encoding=\"UTF-8\"?><definitions"
        + " xmlns=\"https://www.omg.org/spec/DMN/20191111/MODEL/\" id=\"drg\" name=\"drg\""
        + " namespace=\"http://camunda.org/schema/1.0/dmn\"><decision id=\"dec\" name=\"Dec\">"
        + "<decisionTable id=\"dt\" hitPolicy=\"" + hit + "\"><input id=\"i1\" label=\"in\">"
        + "<inputExpression id=\"ix\" typeRef=\"number\"><text>x</text></inputExpression></input>"
        + "<output id=\"o1\" label=\"out\" name=\"out\" typeRef=\"string\"/>" + rows
        + "</decisionTable></decision></definitions>";
  }

  private void decisions() {
    var rules = table("UNIQUE", "&gt; 5", "\"big\"", "&lt;= 5", "\"small\"");
    var called = p(S, node("businessRuleTask", "t",
        extended("<zeebe:calledDecision decisionId=\"dec\" resultVariable=\"r\"/>")), ends("e"),
        path("s", "t", "e"));
    add("decision-task", p -> p.deploy(rules, "d.dmn").deploy(called, "p.bpmn").create("{\"x\":9}"));
    add("decision-by-client", p -> p.deploy(rules, "d.dmn").evaluateDecision("dec", "{\"x\":1}")
        .evaluateDecision("nowhere", "{}"));
    add("decision-fails", p -> p
        .deploy(table("UNIQUE", "&gt; 5", "\"big\"", "&gt; 7", "\"bigger\""), "d.dmn")
        .deploy(called, "p.bpmn").create("{\"x\":9}").evaluateDecision("dec", "{\"x\":8}"));
    add("decision-no-match", p -> p.deploy(table("FIRST", "&gt; 5", "\"big\""), "d.dmn")
        .deploy(called, "p.bpmn").create("{\"x\":1}"));
    add("decision-wrong-type", p -> p.deploy(rules, "d.dmn").deploy(called, "p.bpmn")
        .create("{\"x\":\"text\"}"));
  }

  private static String list(int count) {
    var text = new StringBuilder("{\"items\":[");
    for (int at = 0; at < count; at++) {
      text.append(at == 0 ? "" : ",").append(at);
    }
    return text.append("]}").toString();
  }

  private void wide() {
    var each = "inputCollection=\"=items\" inputElement=\"item\"";
    add("wide-parallel", p -> p
        .deploy(p(S, node("manualTask", "t", loop(each, "")), ends("e"), path("s", "t", "e")), "p.bpmn")
        .create(list(120)));
    add("wide-script", p -> p
        .deploy(p(S, node("scriptTask", "t", extended("<zeebe:script expression=\"=item * 2\""
            + " resultVariable=\"d\"/>"), loop(each + " outputCollection=\"all\" outputElement=\"=d\"", "")),
            ends("e"), path("s", "t", "e")), "p.bpmn").create(list(60)));
    add("wide-cancel", p -> p
        .deploy(p(S, node("serviceTask", "t", job("w"), loop(each, "")), ends("e"), path("s", "t", "e")),
            "p.bpmn").create(list(70)).cancel());
    add("wide-until", p -> p
        .deploy(p(S, node("serviceTask", "t", job("w"), loop(each, "numberOfCompletedInstances &gt;= 1")),
            ends("e"), path("s", "t", "e")), "p.bpmn").create(list(60)).complete("w", "{}"));
    add("wide-sub-process", p -> p
        .deploy(p(S, node("subProcess", "sub", loop(each, ""), node("startEvent", "is"), ends("ie"),
            path("is", "ie")), ends("e"), path("s", "sub", "e")), "p.bpmn").create(list(60)));
    add("multi-instance-call", p -> p
        .deploy(file("child", "", S, ends("e"), path("s", "e")), "child.bpmn")
        .deploy(p(S, node("callActivity", "c", extended("<zeebe:calledElement processId=\"child\"/>"),
            loop(each, "")), ends("e"), path("s", "c", "e")), "p.bpmn").create(list(3)));
    add("multi-instance-sequential-cancel", p -> p
        .deploy(p(S, node("serviceTask", "t", job("w"), loop(each, "").replace(
            "Characteristics>", "Characteristics isSequential=\"true\">").replaceFirst(
            "</bpmn:multiInstanceLoopCharacteristics isSequential=\"true\">",
            "</bpmn:multiInstanceLoopCharacteristics>")), ends("e"), path("s", "t", "e")), "p.bpmn")
        .create(list(3)).complete("w", "{}").cancel());
  }

  private void boundaries() {
    var child = file("child", "<bpmn:escalation id=\"esc\" name=\"esc\" escalationCode=\"ESC\"/>"
        + "<bpmn:error id=\"err\" name=\"err\" errorCode=\"ERR\"/>", S, node("intermediateThrowEvent", "th",
        refers("escalation", "esc")), node("endEvent", "e", refers("error", "err")), path("s", "th", "e"));
    var call = node("callActivity", "c", extended("<zeebe:calledElement processId=\"child\"/>"));
    add("call-activity-escalation-and-error", p -> p.deploy(child, "child.bpmn")
        .deploy(file("p", "<bpmn:escalation id=\"esc\" name=\"esc\" escalationCode=\"ESC\"/>"
            + "<bpmn:error id=\"err\" name=\"err\" errorCode=\"ERR\"/>", S, call,
            boundary("be", "c", false, refers("escalation", "esc")),
            boundary("br", "c", true, refers("error", "err")), ends("e", "l1", "l2"), path("s", "c", "e"),
            path("be", "l1"), path("br", "l2")), "p.bpmn").create("{\"a\":1}"));
    add("call-activity-timer", p -> p
        .deploy(file("child", "", S, task("t", "t"), ends("e"), path("s", "t", "e")), "child.bpmn")
        .deploy(p(S, call, boundary("b", "c", true, timer("PT0.5S")), ends("e", "l"), path("s", "c", "e"),
            path("b", "l")), "p.bpmn").create("{}").pass(1500));
    add("call-activity-message", p -> p
        .deploy(file("child", "", S, task("t", "t"), ends("e"), path("s", "t", "e")), "child.bpmn")
        .deploy(file("p", message("m", "msg"), S, call, boundary("b", "c", false, refers("message", "m")),
            ends("e", "l"), path("s", "c", "e"), path("b", "l")), "p.bpmn")
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}").complete("t", "{}"));
    add("sub-process-message", p -> p
        .deploy(file("p", message("m", "msg"), S, node("subProcess", "sub", node("startEvent", "is"),
            task("t", "t"), task("u", "u"), ends("ie"), path("is", "t", "ie"), path("is", "u", "ie")),
            boundary("b", "sub", true, refers("message", "m")), ends("e", "l"), path("s", "sub", "e"),
            path("b", "l")), "p.bpmn").create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}"));
    add("sub-process-signal-non-interrupting", p -> p
        .deploy(file("p", "<bpmn:signal id=\"sig\" name=\"sig\"/>", S, node("subProcess", "sub",
            node("startEvent", "is"), task("t", "t"), ends("ie"), path("is", "t", "ie")),
            boundary("b", "sub", false, refers("signal", "sig")), ends("e", "l"), path("s", "sub", "e"),
            path("b", "l")), "p.bpmn").create("{}").signal("sig", "{\"v\":1}").signal("sig", "{\"v\":2}")
        .complete("t", "{}"));
    add("multi-instance-timer", p -> p
        .deploy(p(S, node("serviceTask", "t", job("w"), loop("inputCollection=\"=[1,2]\"", "")),
            boundary("b", "t", true, timer("PT0.5S")), ends("e", "l"), path("s", "t", "e"), path("b", "l")),
            "p.bpmn").create("{}").pass(1500));
    add("boundary-mapped", p -> p
        .deploy(file("p", message("m", "msg"), S, task("t", "t"),
            boundary("b", "t", true, extended(mapping("output", "=v + 1", "w")) + refers("message", "m")),
            ends("e", "l"), path("s", "t", "e"), path("b", "l")), "p.bpmn")
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}"));
    add("error-mapped", p -> p
        .deploy(file("p", "<bpmn:error id=\"err\" name=\"err\" errorCode=\"E1\"/>", S, task("t", "t"),
            boundary("b", "t", true, extended(mapping("output", "=thrown", "w")) + refers("error", "err")),
            ends("e", "l"), path("s", "t", "e"), path("b", "l")), "p.bpmn").create("{}").error("t", "E1"));
    add("receive-task-boundary", p -> p
        .deploy(file("p", message("m", "msg") + message("n", "other"), S,
            "<bpmn:receiveTask id=\"t\" messageRef=\"m\"/>", boundary("b", "t", true, refers("message", "n")),
            ends("e", "l"), path("s", "t", "e"), path("b", "l")), "p.bpmn")
        .create("{\"id\":\"1\"}").publish("other", "1", "{\"v\":1}"));
  }

  private void nested() {
    add("nested-error", p -> p
        .deploy(file("p", "<bpmn:error id=\"err\" name=\"err\" errorCode=\"E1\"/>", S,
            node("subProcess", "outer", node("startEvent", "os"), node("subProcess", "in",
                node("startEvent", "is"), node("endEvent", "ie", refers("error", "err")), path("is", "ie")),
                ends("oe"), path("os", "in", "oe")), boundary("b", "outer", true, refers("error", "err")),
            ends("e", "l"), path("s", "outer", "e"), path("b", "l")), "p.bpmn").create("{}"));
    add("nested-terminate", p -> p
        .deploy(p(S, node("subProcess", "sub", node("startEvent", "is"), task("t", "t"),
            node("endEvent", "ie", "<bpmn:terminateEventDefinition/>"), path("is", "t"), path("is", "ie")),
            ends("e"), path("s", "sub", "e")), "p.bpmn").create("{}"));
    add("nested-event-sub-process", p -> p
        .deploy(file("p", message("m", "msg"), S, node("subProcess", "sub", node("startEvent", "is"),
            task("t", "t"), ends("ie"), path("is", "t", "ie"), eventSubProcess("ev", true,
                refers("message", "m"), task("x", "x") + ends("ee") + path("ev_s", "x", "ee"))),
            boundary("b", "sub", true, timer("PT1H")), ends("e", "l"), path("s", "sub", "e"),
            path("b", "l")), "p.bpmn")
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}").complete("x", "{}"));
    add("event-sub-process-twice", p -> p
        .deploy(file("p", message("m", "msg"), S, task("t", "t"), ends("e"), path("s", "t", "e"),
            eventSubProcess("ev", false, extended(mapping("output", "=v", "taken"))
                + refers("message", "m"), task("x", "x") + ends("ee") + path("ev_s", "x", "ee"))), "p.bpmn")
        .create("{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}").publish("msg", "1", "{\"v\":2}")
        .cancel());
    add("event-sub-process-timer-cycle", p -> p
        .deploy(p(S, task("t", "t"), ends("e"), path("s", "t", "e"), eventSubProcess("ev", false,
            "<bpmn:timerEventDefinition><bpmn:timeCycle xsi:type=\"bpmn:tFormalExpression\">R2/PT0.5S"
                + "</bpmn:timeCycle></bpmn:timerEventDefinition>", ends("ee") + path("ev_s", "ee"))),
            "p.bpmn").create("{}").pass(2500).complete("t", "{}"));
    add("sub-process-output", p -> p
        .deploy(p(S, node("subProcess", "sub", extended("<zeebe:ioMapping><zeebe:input source=\"=a\""
            + " target=\"local\"/><zeebe:output source=\"=local + 1\" target=\"a\"/></zeebe:ioMapping>"),
            node("startEvent", "is"), task("t", "t"), ends("ie"), path("is", "t", "ie")), ends("e"),
            path("s", "sub", "e")), "p.bpmn").create("{\"a\":1}").complete("t", "{\"local\":5,\"z\":1}"));
    add("cancel-nested", p -> p
        .deploy(file("child", "", S, task("t", "t"), ends("e"), path("s", "t", "e")), "child.bpmn")
        .deploy(p(S, node("subProcess", "sub", node("startEvent", "is"), node("callActivity", "c",
            extended("<zeebe:calledElement processId=\"child\"/>")), user("u", ""), ends("ie"),
            path("is", "c", "ie"), path("is", "u", "ie")), ends("e"), path("s", "sub", "e")), "p.bpmn")
        .create("{}").cancel().cancel());
    add("listener-sub-process", p -> p
        .deploy(p(S, node("subProcess", "sub", extended("<zeebe:executionListeners>"
            + "<zeebe:executionListener eventType=\"start\" type=\"ls\"/>"
            + "<zeebe:executionListener eventType=\"end\" type=\"le\"/></zeebe:executionListeners>"),
            node("startEvent", "is"), ends("ie"), path("is", "ie")), ends("e"), path("s", "sub", "e")),
            "p.bpmn").create("{}").complete("ls", "{\"x\":1}").complete("le", "{\"y\":1}"));
    add("listener-cancel", p -> p
        .deploy(p(S, node("manualTask", "m", extended("<zeebe:executionListeners>"
            + "<zeebe:executionListener eventType=\"start\" type=\"ls\"/></zeebe:executionListeners>")),
            ends("e"), path("s", "m", "e")), "p.bpmn").create("{}").cancel());
  }

  private void jobs() {
    var one = p(S, task("a", "a"), ends("e"), path("s", "a", "e"));
    add("job-retries", p -> p.deploy(one, "p.bpmn").create("{}").retries("a", 7).complete("a", "{}"));
    add("job-incident-mended", p -> p.deploy(one, "p.bpmn").create("{}").fail("a", 0).resolve());
    add("set-local", p -> p.deploy(one, "p.bpmn").create("{\"x\":1}").setLocal("a", "{\"x\":2}")
        .complete("a", "{\"x\":3,\"y\":4}"));
    add("delete-definition", p -> p.deploy(one, "p.bpmn").deleteDefinition().create("{}"));
    add("delete-definition-in-use", p -> p.deploy(one, "p.bpmn").create("{}").deleteDefinition()
        .complete("a", "{}"));
    add("delete-definition-with-message", p -> p
        .deploy(file("p", message("m", "msg"), node("startEvent", "s", refers("message", "m")), ends("e"),
            path("s", "e")), "p.bpmn").deleteDefinition().publish("msg", "1", "{}"));
  }

  private void messages() {
    var caught = file("p", message("m", "msg"), S, node("intermediateCatchEvent", "c",
        refers("message", "m")), ends("e"), path("s", "c", "e"));
    add("correlate", p -> p.deploy(caught, "p.bpmn").create("{\"id\":\"1\"}")
        .correlate("msg", "1", "{\"v\":1}").correlate("msg", "1", "{}"));
    add("correlate-start", p -> p
        .deploy(file("p", message("m", "msg"), node("startEvent", "s", refers("message", "m")), ends("e"),
            path("s", "e")), "p.bpmn").correlate("msg", "1", "{\"v\":1}"));
    add("message-to-two", p -> p.deploy(caught, "p.bpmn")
        .deploy(caught.replace("id=\"p\"", "id=\"q\""), "q.bpmn").create("p", "{\"id\":\"1\"}")
        .create("q", "{\"id\":\"1\"}").create("p", "{\"id\":\"1\"}").publish("msg", "1", "{\"v\":1}"));
    add("message-start-and-catch", p -> p.deploy(caught, "p.bpmn")
        .deploy(file("q", message("m", "msg"), node("startEvent", "s", refers("message", "m")),
            task("t", "t"), ends("e"), path("s", "t", "e")), "q.bpmn").create("p", "{\"id\":\"1\"}")
        .publish("msg", "1", "{\"v\":1}").publish("msg", "1", "{\"v\":2}").complete("t", "{}"));
    add("message-boundary-buffered", p -> p
        .deploy(file("p", message("m", "msg"), S, task("t", "t"),
            boundary("b", "t", false, refers("message", "m")), ends("e", "l"), path("s", "t", "e"),
            path("b", "l")), "p.bpmn").publish("msg", "1", "{\"v\":1}").publish("msg", "1", "{\"v\":2}")
        .create("{\"id\":\"1\"}").complete("t", "{}"));
  }

  private void creation() {
    add("create-before", p -> p.deploy(two(), "p.bpmn").createBefore("b", "{\"v\":1}").complete("b", "{}"));
    add("create-before-in-sub-process", p -> p.deploy(inner(), "p.bpmn").createBefore("b", "{}")
        .complete("b", "{}"));
    add("create-before-refused", p -> p.deploy(inner(), "p.bpmn").createBefore("bt", "{}")
        .createBefore("nowhere", "{}"));
    add("create-until", p -> p.deploy(two(), "p.bpmn").createUntil("a").complete("a", "{}"));
    add("create-no-none-start", p -> p
        .deploy(file("p", message("m", "msg"), node("startEvent", "s", refers("message", "m")), ends("e"),
            path("s", "e")), "p.bpmn").create("{}"));
    add("create-bad-variables", p -> p.deploy(two(), "p.bpmn").create("[1]"));
  }

  private void gateways() {
    add("parallel-surplus", p -> p
        .deploy(p(S, node("parallelGateway", "f"), node("manualTask", "a"), node("manualTask", "b"),
            task("t", "t"), node("exclusiveGateway", "x"), node("parallelGateway", "j"), ends("e"),
            path("s", "f", "a", "x", "j", "e"), path("f", "b", "x"), path("f", "t", "j")), "p.bpmn")
        .create("{}").complete("t", "{}"));
    add("event-based-signal", p -> p
        .deploy(file("p", "<bpmn:signal id=\"sig\" name=\"sig\"/>", S, node("eventBasedGateway", "g", "<bpmn:outgoing>g_c</bpmn:outgoing>",
            "<bpmn:outgoing>g_t</bpmn:outgoing>"),
            node("intermediateCatchEvent", "c", refers("signal", "sig")),
            node("intermediateCatchEvent", "t", timer("PT1H")), ends("e", "l"), path("s", "g", "c", "e"),
            path("g", "t", "l")), "p.bpmn").create("{}").signal("sig", "{\"v\":1}"));
    add("two-tokens", p -> p
        .deploy(p(S, node("manualTask", "a"), node("manualTask", "b"), task("t", "t"), ends("e"),
            path("s", "a", "t", "e"), path("s", "b", "t")), "p.bpmn").create("{}").complete("t", "{}")
        .complete("t", "{}"));
    var publish = extended("<zeebe:publishMessage correlationKey=\"=id\"/>");
    var publishes = "<bpmn:messageEventDefinition id=\"md\" messageRef=\"m\">" + publish
        + "</bpmn:messageEventDefinition>";
    add("send-task-publishes", p -> p
        .deploy(file("p", message("m", "msg"), S, "<bpmn:sendTask id=\"t\" messageRef=\"m\">" + publish
            + "</bpmn:sendTask>", ends("e"), path("s", "t", "e")), "p.bpmn").create("{\"id\":\"1\"}"));
    add("throw-publishes", p -> p
        .deploy(file("p", message("m", "msg"), S, node("intermediateThrowEvent", "t",
            publishes), ends("e"), path("s", "t", "e")), "p.bpmn")
        .create("{\"id\":\"1\"}"));
    add("end-publishes", p -> p
        .deploy(file("p", message("m", "msg"), S, node("endEvent", "t", publishes),
            path("s", "t")), "p.bpmn").create("{\"id\":\"1\"}"));
    add("resource-missing", p -> p
        .deploy(p(S, node("serviceTask", "t", extended("<zeebe:taskDefinition type=\"w\"/>"
            + "<zeebe:linkedResources><zeebe:linkedResource resourceId=\"nowhere\" resourceType=\"RPA\""
            + " linkName=\"main\"/></zeebe:linkedResources>")), ends("e"), path("s", "t", "e")), "p.bpmn")
        .create("{}"));
    add("too-large", p -> p
        .deploy(p(S, node("scriptTask", "t", extended("<zeebe:script expression=\"=string join(for i in"
            + " 1..n return x)\" resultVariable=\"r\"/>")), ends("e"), path("s", "t", "e")), "p.bpmn")
        .create("{\"n\":6000,\"x\":\"" + "0123456789".repeat(100) + "\"}"));
    add("result-variable-mapped", p -> p
        .deploy(p(S, node("scriptTask", "t", extended("<zeebe:script expression=\"={a: x}\""
            + " resultVariable=\"r\"/>" + mapping("output", "=r.a", "deep.value"))), ends("e"),
            path("s", "t", "e")), "p.bpmn").create("{\"x\":1,\"deep\":{\"kept\":2}}"));
  }
}

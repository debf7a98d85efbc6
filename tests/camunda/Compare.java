import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Runs every scenario on both engines and prints where the record streams differ.
 *
 * <p>A record is one line: type, value type, intent, key, rejection, value. Keys are numbered in the
 * order in which they appear, times are masked. Of a value only the fields are compared that both
 * engines have; what one of them lacks is listed once at the end.
 */
final class Compare {
  /** What Camunda writes about itself, and what depends on when a worker asks. */
  private static final Set<String> IGNORED =
      Set.of(
          "IDENTITY_SETUP", "USER", "ROLE", "GROUP", "TENANT", "AUTHORIZATION", "MAPPING_RULE",
          "USAGE_METRIC", "CHECKPOINT", "CLOCK", "JOB_BATCH", "JOB_METRICS_BATCH", "MESSAGE_BATCH",
          "COMMAND_DISTRIBUTION",
          // Who waits for an answer is known to the process only: docs/compat.md.
          "ASYNC_REQUEST",
          // What the broker reads from its configuration when it starts; the test kit has no broker.
          "GLOBAL_LISTENER_BATCH");
  /** Where an element instance stands; written by every event of some elements, read from one. */
  private static final Set<String> PATHS =
      Set.of("elementInstancePath", "processDefinitionPath", "callingElementPath");
  /** The halves of a subscription talk in commands; each engine sends what its other half reads. */
  private static final Set<String> HALVES =
      Set.of("MESSAGE_SUBSCRIPTION", "PROCESS_MESSAGE_SUBSCRIPTION");
  /** What is known to differ, and why; each has its row in docs/compat.md. */
  private static final Map<String, String> KNOWN =
      Map.of(
          "correlate", "a refused correlation leaves no message and no CORRELATING",
          "migrate-user-task", "later events of a migrated user task name its new element");
  /** Commands that Camunda completes for its audit log where it refuses them. */
  private static final Set<String> COMPLETED = Set.of("RESOURCE_DELETION");
  /** In the order of a hash set. */
  private static final Pattern SUPPORTED = Pattern.compile("Supported element types are: \\[[^\\]]*]");
  /** Longest text that is shown: files are not. */
  private static final int LONG = 2000;
  private static final long FIRST_KEY = 1L << 51;
  private static final Pattern KEY = Pattern.compile("\\d{16,19}");
  private static final Pattern TIME = Pattern.compile("\\d{13}");
  private static final Pattern INSTANT =
      Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d[0-9:.]*(Z|[+-]\\d\\d:\\d\\d)?(\\[[^\\]]*])?");

  /** Fields of each value type, per engine: Camunda's, ours. */
  private final Map<String, List<Set<String>>> fields = new TreeMap<>();

  public static void main(String[] arguments) throws Exception {
    var wanted = List.of(arguments).subList(1, arguments.length);
    System.exit(new Compare().run(arguments[0], wanted) ? 0 : 1);
  }

  private boolean run(String binary, List<String> wanted) throws Exception {
    var out =
        Files.createDirectories(Path.of(System.getProperty("java.io.tmpdir"), "ringflow-camunda"));
    int played = 0;
    int equal = 0;
    int known = 0;
    for (var scenario : Scenarios.all().entrySet()) {
      var name = scenario.getKey();
      if (!wanted.isEmpty() && wanted.stream().noneMatch(name::contains)) {
        continue;
      }
      played++;
      try {
        // The builder draws identifiers at random: both engines get the model it built first.
        var models = new ArrayList<String>();
        var records = play(new Subject.Camunda(), models, scenario.getValue());
        var ours = play(new Subject.Ringflow(binary), models, scenario.getValue());
        collect(records, 0);
        collect(ours, 1);
        var camunda = lines(records);
        var ringflow = lines(ours);
        Files.write(out.resolve(name + ".camunda"), camunda);
        Files.write(out.resolve(name + ".ringflow"), ringflow);
        if (camunda.equals(ringflow)) {
          equal++;
        } else if (KNOWN.containsKey(name)) {
          known++;
          System.out.println("KNOWN " + name + ": " + KNOWN.get(name));
        } else {
          System.out.println("DIFFERS " + name + ": " + first(camunda, ringflow));
        }
      } catch (Exception failure) {
        System.out.println("BROKEN " + name + ": " + failure);
      }
    }
    listFields();
    System.out.println(
        equal + " of " + played + " equal, " + known + " differ as known; streams in " + out);
    return equal + known == played;
  }

  private void listFields() {
    for (var entry : fields.entrySet()) {
      var both = entry.getValue();
      var camunda = new TreeSet<>(both.get(0));
      var ringflow = new TreeSet<>(both.get(1));
      camunda.removeAll(both.get(1));
      ringflow.removeAll(both.get(0));
      if (!camunda.isEmpty() && !both.get(1).isEmpty()) {
        System.out.println("fields of " + entry.getKey() + " only in Camunda: " + camunda);
      }
      if (!ringflow.isEmpty() && !both.get(0).isEmpty()) {
        System.out.println("fields of " + entry.getKey() + " only in Ringflow: " + ringflow);
      }
    }
  }

  private static List<JsonNode> play(
      Subject subject, List<String> models, Scenarios.Scenario scenario) throws Exception {
    try (subject) {
      try {
        scenario.play(new Player(subject, models));
      } catch (Exception failure) {
        System.out.println(subject.getClass().getSimpleName() + ": " + failure);
      }
      return subject.records();
    }
  }

  private void collect(List<JsonNode> records, int engine) {
    for (var record : records) {
      var sets =
          fields.computeIfAbsent(
              record.path("valueType").asText(), type -> List.of(new TreeSet<>(), new TreeSet<>()));
      record.path("value").fieldNames().forEachRemaining(sets.get(engine)::add);
    }
    fields.keySet().removeAll(IGNORED);
  }

  private List<String> lines(List<JsonNode> records) {
    var keys = new HashMap<String, String>();
    var lines = new ArrayList<String>();
    var variables = new HashMap<String, String>();
    var ordered = inOrder(records, variables);
    var seen = new java.util.HashSet<String>();
    for (var record : ordered) {
      var type = record.path("valueType").asText();
      if (IGNORED.contains(type) || !seen.add(deferred(record))) {
        continue;
      }
      var value = new StringBuilder();
      for (var field : fields.get(type).get(0)) {
        if (fields.get(type).get(1).contains(field)) {
          if (compared(record, type, field)) {
            var told = record.path("value").path(field);
            value.append(' ').append(field).append('=');
            value.append(field.equals("result") ? result(told) : canonical(told));
          }
        }
      }
      // The kit's gateway does not name the instance to migrate in the command's key.
      var unnamed =
          type.equals("PROCESS_INSTANCE_MIGRATION")
              && !record.path("recordType").asText().equals("EVENT")
              // New keys for each event of a deletion, or the definition's.
              || type.equals("PROCESS") && record.path("intent").asText().startsWith("DELET");
      var key = unnamed ? -1 : record.path("key").asLong();
      var head =
          String.join(
              " ",
              record.path("recordType").asText(),
              type,
              record.path("intent").asText(),
              key >= FIRST_KEY ? Long.toString(key) : "-",
              record.path("rejection").asText());
      var line = KEY.matcher(head + value).replaceAll(
          one -> variables.getOrDefault(one.group(), one.group()));
      line = SUPPORTED.matcher(line).replaceAll("SUPPORTED");
      lines.add(masked(line, keys).replace("\n", "\\n"));
    }
    return lines;
  }

  /**
   * The variables of one document have no order: those written together are sorted by name, and so
   * are their keys.
   */
  private static List<JsonNode> inOrder(List<JsonNode> records, Map<String, String> keys) {
    var ordered = new ArrayList<JsonNode>();
    for (int at = 0; at < records.size(); ) {
      int end = at;
      while (end < records.size() && sameScope(records.get(at), records.get(end))) {
        end++;
      }
      var together = new ArrayList<>(records.subList(at, Math.max(end, at + 1)));
      if (together.size() > 1) {
        var sorted = together.stream().map(one -> one.path("key").asText()).sorted().toList();
        together.sort(
            java.util.Comparator.comparing(one -> one.path("value").path("name").asText()));
        for (int place = 0; place < sorted.size(); place++) {
          keys.put(together.get(place).path("key").asText(), sorted.get(place));
        }
      }
      ordered.addAll(together);
      at += together.size();
    }
    return ordered;
  }

  private static boolean sameScope(JsonNode one, JsonNode other) {
    return other.path("valueType").asText().equals("VARIABLE")
        && one.path("valueType").equals(other.path("valueType"))
        && one.path("intent").asText().equals("CREATED")
        && other.path("intent").asText().equals("CREATED")
        && one.path("value").path("scopeKey").equals(other.path("value").path("scopeKey"));
  }

  /** The same for a command without room in its step, which is written again when its turn comes. */
  private static String deferred(JsonNode record) {
    boolean element =
        record.path("valueType").asText().startsWith("PROCESS_INSTANCE")
            && record.path("recordType").asText().equals("COMMAND")
            && record.path("key").asLong() >= FIRST_KEY;
    return element
        ? record.path("intent").asText() + record.path("key").asText()
        : Integer.toString(System.identityHashCode(record));
  }

  /** What the worker of a listener or an ad-hoc sub-process answered: two forms of the same. */
  private static String result(JsonNode told) {
    var result = told.isArray() ? told.path(0) : told;
    var corrected = new ArrayList<String>();
    for (var name : result.path("correctedAttributes")) {
      corrected.add(name.asText() + '=' + canonical(result.path("corrections").path(name.asText())));
    }
    return result.path("denied").asBoolean() + " " + result.path("deniedReason").asText() + corrected
        + (result.path("activateElements").isEmpty() ? "[]" : canonical(result.path("activateElements")));
  }

  /** Rules of the comparison; docs/compat.md says what is behind them. */
  private static boolean compared(JsonNode record, String type, String field) {
    var intent = record.path("intent").asText();
    if (type.equals("PROCESS_INSTANCE") && PATHS.contains(field)) {
      return intent.equals("ELEMENT_ACTIVATING") || intent.endsWith("_MIGRATED");
    }
    if (field.equals("rootProcessInstanceKey")) {
      // Some refused commands get it for the audit log; migrated variables lose it.
      return !record.path("recordType").asText().equals("COMMAND_REJECTION")
          && !intent.equals("MIGRATED");
    }
    if (type.equals("MESSAGE") && intent.equals("EXPIRED") && field.equals("variables")
        || type.equals("PROCESS") && intent.startsWith("DELET") && field.equals("checksum")) {
      // Nobody needs them at the end.
      return false;
    }
    return !HALVES.contains(type) && !COMPLETED.contains(type) || record.path("recordType").asText().equals("EVENT");
  }

  /** The same text for the same value, whatever the order of the members. */
  private static String canonical(JsonNode value) {
    if (value.isObject()) {
      var sorted = new TreeMap<String, String>();
      value.fields()
          .forEachRemaining(
              one -> {
                if (one.getKey().equals("decisionEvaluationInstanceKey")
                    || one.getValue().asText().equals("-1")) {
                  return;
                }
                // A set, in no order.
                boolean set = one.getKey().equals("ancestorScopeKeys");
                sorted.put(one.getKey(), set ? sorted(one.getValue()) : canonical(one.getValue()));
              });
      return sorted.toString();
    }
    if (value.isArray()) {
      var items = new ArrayList<String>();
      value.forEach(item -> items.add(canonical(item)));
      return items.toString();
    }
    var text = value.asText();
    if (text.length() > LONG) {
      return "text of " + text.length() + " with hash " + text.hashCode();
    }
    return text.isEmpty() ? "''" : text;
  }

  private static String sorted(JsonNode keys) {
    var items = new java.util.TreeSet<Long>();
    keys.forEach(key -> items.add(key.asLong()));
    return items.toString();
  }

  private static String masked(String line, Map<String, String> keys) {
    var named =
        KEY.matcher(line)
            .replaceAll(
                key -> keys.computeIfAbsent(key.group(), unseen -> "K" + (keys.size() + 1)));
    return INSTANT.matcher(TIME.matcher(named).replaceAll("TIME")).replaceAll("INSTANT");
  }

  private static String first(List<String> camunda, List<String> ringflow) {
    int at = 0;
    while (at < camunda.size() && at < ringflow.size() && camunda.get(at).equals(ringflow.get(at))) {
      at++;
    }
    return "record " + (at + 1) + " of " + camunda.size() + '/' + ringflow.size()
        + "\n  camunda  " + (at < camunda.size() ? camunda.get(at) : "-")
        + "\n  ringflow " + (at < ringflow.size() ? ringflow.get(at) : "-");
  }
}

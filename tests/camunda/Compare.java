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
          "COMMAND_DISTRIBUTION");
  /** Longest text that is shown: files are not. */
  private static final int LONG = 2000;
  private static final long FIRST_KEY = 1L << 51;
  private static final Pattern KEY = Pattern.compile("\\d{16,19}");
  private static final Pattern TIME = Pattern.compile("\\d{13}");
  private static final Pattern INSTANT =
      Pattern.compile("\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d[0-9:.]*(Z|[+-]\\d\\d:\\d\\d)?(\\[[^\\]]*])?");

  private record Run(String name, List<JsonNode> camunda, List<JsonNode> ringflow) {}

  /** Fields of each value type, per engine: Camunda's, ours. */
  private final Map<String, List<Set<String>>> fields = new TreeMap<>();

  public static void main(String[] arguments) throws Exception {
    var wanted = List.of(arguments).subList(1, arguments.length);
    System.exit(new Compare().run(arguments[0], wanted) ? 0 : 1);
  }

  private boolean run(String binary, List<String> wanted) throws Exception {
    var out =
        Files.createDirectories(Path.of(System.getProperty("java.io.tmpdir"), "ringflow-camunda"));
    var runs = new ArrayList<Run>();
    int broken = 0;
    for (var scenario : Scenarios.all().entrySet()) {
      var name = scenario.getKey();
      if (!wanted.isEmpty() && wanted.stream().noneMatch(name::contains)) {
        continue;
      }
      try {
        // The builder draws identifiers at random: both engines get the model it built first.
        var models = new ArrayList<String>();
        var camunda = play(new Subject.Camunda(), models, scenario.getValue());
        var ringflow = play(new Subject.Ringflow(binary), models, scenario.getValue());
        collect(camunda, 0);
        collect(ringflow, 1);
        runs.add(new Run(name, camunda, ringflow));
      } catch (Exception failure) {
        System.out.println("BROKEN " + name + ": " + failure);
        broken++;
      }
    }
    int equal = 0;
    for (var run : runs) {
      var camunda = lines(run.camunda);
      var ringflow = lines(run.ringflow);
      Files.write(out.resolve(run.name + ".camunda"), camunda);
      Files.write(out.resolve(run.name + ".ringflow"), ringflow);
      if (camunda.equals(ringflow)) {
        equal++;
      } else {
        System.out.println("DIFFERS " + run.name + ": " + first(camunda, ringflow));
      }
    }
    listFields();
    System.out.println(equal + " of " + runs.size() + " equal; streams in " + out);
    return broken == 0 && equal == runs.size();
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
    for (var record : records) {
      var type = record.path("valueType").asText();
      if (IGNORED.contains(type)) {
        continue;
      }
      var value = new StringBuilder();
      for (var field : fields.get(type).get(0)) {
        if (fields.get(type).get(1).contains(field)) {
          value.append(' ').append(field).append('=');
          value.append(canonical(record.path("value").path(field)));
        }
      }
      var key = record.path("key").asLong();
      var head =
          String.join(
              " ",
              record.path("recordType").asText(),
              type,
              record.path("intent").asText(),
              key >= FIRST_KEY ? Long.toString(key) : "-",
              record.path("rejection").asText());
      lines.add(masked(head + value, keys).replace("\n", "\\n"));
    }
    return lines;
  }

  /** The same text for the same value, whatever the order of the members. */
  private static String canonical(JsonNode value) {
    if (value.isObject()) {
      var sorted = new TreeMap<String, String>();
      value.fields().forEachRemaining(one -> sorted.put(one.getKey(), canonical(one.getValue())));
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

import { assertEquals } from "@std/assert";
import { EventLog, LOG_LEVELS, type LogEvent } from "../../lib/iscsi/events/event_log.ts";
import { JsonOutput } from "../../lib/cli/json_output.ts";
import { eventLog, LOG_FORMATS } from "../../lib/cli/log_format.ts";

const REFUSED: LogEvent = {
  level: "warning",
  message: '10.0.0.2: login of "iqn.a:b" refused: initiators of [disk] does not list "iqn.a:b"',
  details: {
    event: "loginRefused",
    peer: "10.0.0.2",
    initiator: "iqn.a:b",
    target: "iqn.t:disk",
    reason: "initiators",
  },
};

/** Returns the text that a log writes to standard error. */
function written(options: { log: string; logLevel: string }, tell: (log: EventLog) => void): string {
  let text = "";
  tell(eventLog({ stderr: { write: (piece) => void (text += piece) } }, options));
  return text;
}

Deno.test("events as text have their level and the name of the program", () => {
  const { text } = LOG_FORMATS;
  assertEquals(text(REFUSED), `iscsi: warning: ${REFUSED.message}`);
  assertEquals(
    LOG_LEVELS.map((level) => text({ level, message: "a" })),
    ["iscsi: error: a", "iscsi: warning: a", "iscsi: a", "iscsi: debug: a"],
  );
  assertEquals(
    text({ level: "info", message: "a", repeats: 57 }),
    "iscsi: a (and 57 more like this in the last minute)",
  );
  assertEquals(text({ level: "info", message: "a", repeats: 0 }), "iscsi: a");
});

Deno.test("events for journald have a priority in place of the program's name", () => {
  assertEquals(
    LOG_LEVELS.map((level) => LOG_FORMATS.journal({ level, message: "a" })),
    ["<3>a", "<4>a", "<6>a", "<7>a"],
  );
});

Deno.test("events as JSON leave out absent fields", () => {
  const atMs = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
  assertEquals(JSON.parse(LOG_FORMATS.json({ ...REFUSED, repeats: 3 }, atMs)), {
    time: "2026-01-02T03:04:05.006Z",
    level: "warning",
    event: "loginRefused",
    message: REFUSED.message,
    peer: "10.0.0.2",
    initiator: "iqn.a:b",
    target: "iqn.t:disk",
    reason: "initiators",
    repeats: 3,
  });
  const plain = LOG_FORMATS.json({ level: "info", message: "a" }, atMs);
  assertEquals(plain, '{"time":"2026-01-02T03:04:05.006Z","level":"info","message":"a"}');
});

Deno.test("an event is one line, whatever its names contain", () => {
  const message = "a\nb\r\x1b[2Jc\u0085d\u2028e\u202ef";
  for (const format of Object.values(LOG_FORMATS)) {
    const line = format({ level: "info", message }, 0);
    // deno-lint-ignore no-control-regex
    assertEquals(/[\x00-\x1f]/.test(line), false, line);
  }
  assertEquals(
    LOG_FORMATS.text({ level: "info", message }),
    "iscsi: a\\u000ab\\u000d\\u001b[2Jc\\u0085d\\u2028e\\u202ef",
  );
});

Deno.test("eventLog() writes a line for each event of its level and above", () => {
  const tell = (log: EventLog): void => LOG_LEVELS.forEach((level) => log[level](level));
  assertEquals(written({ log: "journal", logLevel: "error" }, tell), "<3>error\n");
  assertEquals(written({ log: "journal", logLevel: "info" }, tell), "<3>error\n<4>warning\n<6>info\n");
  assertEquals(written({ log: "text", logLevel: "debug" }, tell).split("\n").length, 5);
  const [line] = written({ log: "json", logLevel: "info" }, tell).split("\n");
  const { time, ...rest } = JSON.parse(line!);
  assertEquals([Number.isNaN(Date.parse(time)), rest], [false, { level: "error", message: "error" }]);
});

Deno.test("eventLog() counts lost events, and reports them in its format before the next one", () => {
  let text = "";
  const stderr = {
    write: (piece: string) => void (text += piece),
    failure: new Error("full") as Error | undefined,
  };
  const log = eventLog({ stderr }, { log: "journal", logLevel: "info" });
  log.info("one");
  log.info("two");
  log.debug("not to be written");
  [text, stderr.failure] = ["", undefined];
  log.info("three");
  log.info("four");
  assertEquals(text, "<4>2 events before this could not be written to this log\n<6>three\n<6>four\n");
});

Deno.test("eventLog() stamps lines of text where asked, and writes JSON with --json", () => {
  let text = "";
  const stderr = { write: (piece: string) => void (text += piece) };
  const options = { log: "text", logLevel: "info" };
  eventLog({ stderr, stampsLog: true }, options).warning("a");
  const [, time = ""] = /^(\S+) iscsi: warning: a\n$/.exec(text) ?? [];
  assertEquals(new Date(time).toISOString(), time);
  text = "";
  for (const log of ["journal", "json"]) eventLog({ stderr, stampsLog: true }, { ...options, log }).info("b");
  assertEquals(text.split("\n")[0], "<6>b");
  text = "";
  const json = new JsonOutput({ stdout: stderr, stderr });
  eventLog({ stderr, json }, options).info("c");
  assertEquals(JSON.parse(text).message, "c");
});

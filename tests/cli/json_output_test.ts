import { assertEquals } from "@std/assert";
import { JsonOutput } from "../../lib/cli/json_output.ts";

/** An output, and what was written. */
function makeOutput(): { json: JsonOutput; written: { stdout: string; stderr: string } } {
  const written = { stdout: "", stderr: "" };
  const json = new JsonOutput({
    stdout: { write: (text) => void (written.stdout += text) },
    stderr: { write: (text) => void (written.stderr += text) },
  });
  return { json, written };
}

Deno.test("JsonOutput writes the document at the end, and the error in it", () => {
  const good = makeOutput();
  good.json.setDocument({ a: 1 });
  assertEquals(good.written.stdout, "");
  good.json.end(0);
  assertEquals(good.written.stdout, '{\n  "a": 1\n}\n');
  const bad = makeOutput();
  bad.json.setDocument({ a: 1 });
  const diagnostics = [{ severity: "warning", file: "f", line: 2, message: "w" }] as const;
  bad.json.addDiagnostics(diagnostics);
  bad.json.stderr.write("a list\n");
  bad.json.stderr.write("iscsi: It failed:\nwhy\n");
  bad.json.end(1);
  assertEquals(bad.written.stderr, "a list\niscsi: It failed:\nwhy\n");
  assertEquals(JSON.parse(bad.written.stdout), {
    a: 1,
    error: { exitCode: 1, message: "It failed:\nwhy", diagnostics },
  });
});

Deno.test("JsonOutput has a message for every failure: errors of the conf, or the meaning of the exit code", () => {
  const conf = makeOutput();
  conf.json.addDiagnostics([{ severity: "error", file: "f", line: 2, message: "e" }]);
  conf.json.end(3);
  assertEquals(JSON.parse(conf.written.stdout).error.message, "f:2: e");
  const silent = makeOutput();
  silent.json.end(130);
  assertEquals(JSON.parse(silent.written.stdout).error, {
    exitCode: 130,
    message: "interrupted",
    diagnostics: [],
  });
});

Deno.test("JsonOutput with a document in each line ends with a line, and an interruption is no error there", () => {
  const failed = makeOutput();
  failed.json.writeLine({ look: 1 });
  failed.json.addMessage("gone");
  failed.json.end(1);
  assertEquals(failed.written.stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [
    { look: 1 },
    { error: { exitCode: 1, message: "gone", diagnostics: [] } },
  ]);
  const interrupted = makeOutput();
  interrupted.json.writeLine({ look: 1 });
  interrupted.json.end(130);
  assertEquals(interrupted.written.stdout, '{"look":1}\n');
});

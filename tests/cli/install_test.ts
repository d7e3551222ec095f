import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { dirname, join } from "@std/path";
import { DEFAULT_CONF_FILE } from "../../lib/config/config.ts";
import { COMMANDS } from "../../lib/cli/commands.ts";
import { COMPLETIONS } from "../../lib/cli/completion.ts";
import { installProgram, type InstallReport } from "../../lib/cli/install.ts";
import type { InitSystem } from "../../lib/cli/init_system.ts";
import { JsonOutput } from "../../lib/cli/json_output.ts";
import { readShippedFile } from "../../lib/cli/shipped_files.ts";
import { withScratch } from "../provision/scratch.ts";
import { runCommand } from "./command_run.ts";

const SERVICE = "/etc/init.d/iscsi";
const UNIT = "/etc/systemd/system/iscsi.service";

/** A box in a scratch folder. */
class Box {
  readonly root: string;
  readonly #program: string;

  constructor(folder: string) {
    this.root = join(folder, "root");
    this.#program = join(folder, "compiled");
    Deno.mkdirSync(this.root);
    Deno.writeTextFileSync(this.#program, "the program");
  }

  read(path: string): string {
    return Deno.readTextFileSync(join(this.root, path));
  }

  write(path: string, text: string): void {
    Deno.mkdirSync(dirname(join(this.root, path)), { recursive: true });
    Deno.writeTextFileSync(join(this.root, path), text);
  }

  mode(path: string): number {
    return Deno.statSync(join(this.root, path)).mode! & 0o777;
  }

  /** Installs, and returns the actions by path. */
  install(init?: InitSystem, options: { dryRun?: boolean } = {}): {
    readonly actions: Readonly<Record<string, string>>;
    readonly report: InstallReport;
    readonly stderr: string;
    readonly exitCode: number;
  } {
    let [stdout, stderr] = ["", ""];
    const writers = {
      stdout: { write: (text: string) => void (stdout += text) },
      stderr: { write: (text: string) => void (stderr += text) },
    };
    const json = new JsonOutput(writers);
    const context = { ...writers, stderr: json.stderr, json, version: "1" };
    const values = { root: this.root, init, dryRun: options.dryRun ?? false };
    const exitCode = installProgram(context, values, { program: this.#program, commands: COMMANDS });
    json.end(exitCode);
    const report = JSON.parse(stdout) as InstallReport;
    return {
      actions: Object.fromEntries(report.files.map(({ path, action }) => [path, action])),
      report,
      stderr,
      exitCode,
    };
  }
}

function withBox(act: (box: Box) => void): Promise<void> {
  return withScratch((folder) => Promise.resolve(act(new Box(folder))));
}

Deno.test("iscsi install puts everything where it belongs, with its mode", () =>
  withBox((box) => {
    const { actions, exitCode } = box.install("sysv");
    assertEquals([new Set(Object.values(actions)), exitCode], [new Set(["install"]), 0]);
    for (const path of Object.keys(actions)) assert(box.read(path).length > 0, path);
    assertEquals(box.read("/usr/local/sbin/iscsi"), "the program");
    assertEquals(box.read("/usr/local/share/bash-completion/completions/iscsi"), COMPLETIONS.bash(COMMANDS));
    for (const path of ["/usr/local/sbin/iscsi", "/usr/libexec/build/iscsi", SERVICE]) {
      assertEquals(box.mode(path), 0o755, path);
    }
    assertEquals(box.mode(DEFAULT_CONF_FILE), 0o600);
    assertEquals(box.mode("/usr/local/share/man/man8/iscsi.8"), 0o644);
  }));

Deno.test("iscsi install puts the resource agent on a box that has others, and on no other box", () =>
  withBox((box) => {
    const agent = "/usr/lib/ocf/resource.d/netmanager/iscsi";
    assertEquals(box.install("systemd").actions[agent], undefined);
    box.write("/usr/lib/ocf/lib/heartbeat/ocf-shellfuncs", "");
    assertEquals(box.install("systemd").actions[agent], "install");
    assertEquals([box.mode(agent), box.read(agent)], [0o755, readShippedFile("ocf/iscsi")]);
    assertEquals(box.install("systemd").actions[agent], "keep");
  }));

Deno.test("iscsi install changes nothing the second time", () =>
  withBox((box) => {
    box.install("openrc");
    const { actions } = box.install("openrc");
    assertEquals(new Set(Object.values(actions)), new Set(["keep"]));
  }));

Deno.test("iscsi install never changes a conf, and replaces its own old files", () =>
  withBox((box) => {
    box.write(DEFAULT_CONF_FILE, "# mine\n");
    box.write("/usr/libexec/build/iscsi", "#!/bin/sh\n# Build Script of iscsi(8), old\n");
    box.write("/usr/local/sbin/iscsi", "the old program");
    const { actions } = box.install("sysv");
    assertEquals(actions[DEFAULT_CONF_FILE], "keep");
    assertEquals(box.read(DEFAULT_CONF_FILE), "# mine\n");
    assertEquals(actions["/usr/libexec/build/iscsi"], "replace");
    assertEquals(box.read("/usr/libexec/build/iscsi"), readShippedFile("libexec/iscsi"));
    assertEquals([actions["/usr/local/sbin/iscsi"], box.read("/usr/local/sbin/iscsi")], [
      "replace",
      "the program",
    ]);
  }));

Deno.test("iscsi install does not replace a service or script of another program, and fails", () =>
  withBox((box) => {
    const foreign = "#!/bin/sh\n# logs in to iSCSI targets\n";
    box.write(SERVICE, foreign);
    const { actions, exitCode, stderr } = box.install("sysv");
    assertEquals([actions[SERVICE], exitCode, box.read(SERVICE)], ["refuse", 1, foreign]);
    assertStringIncludes(stderr, `"${SERVICE}" is of another program`);
  }));

Deno.test("iscsi install --dry-run tells the same and changes nothing", () =>
  withBox((box) => {
    const { report } = box.install("sysv", { dryRun: true });
    assertEquals([...Deno.readDirSync(box.root)], []);
    assertEquals(box.install("sysv").report, report);
  }));

Deno.test("iscsi install makes the unit of systemd from the conf, once there is a good one", () =>
  withBox((box) => {
    const again = /iscsi install, again/;
    const first = box.install("systemd").report;
    assertEquals(first.files.some(({ path }) => path === UNIT), false);
    assert(
      first.next.some((step) => again.test(step)) && first.next[0]!.startsWith("edit "),
      first.next.join(),
    );

    box.write(DEFAULT_CONF_FILE, "storage=/data/iscsi\n[a]\nsize=1MB\nnetwork=10.0.0.0/8\n");
    const broken = box.install("systemd").report;
    assertStringIncludes(broken.next[0]!, `${DEFAULT_CONF_FILE}:4:`);
    assertEquals(broken.files.some(({ path }) => path === UNIT), false);

    box.write(DEFAULT_CONF_FILE, "storage=/data/iscsi\n[a]\nsize=1MB\nnetworks=10.0.0.0/8\n");
    const good = box.install("systemd");
    assertEquals(good.actions[UNIT], "install");
    assertEquals(good.report.next, [
      "iscsi build",
      "systemctl daemon-reload && systemctl enable --now iscsi",
    ]);
    const unit = box.read(UNIT);
    assertStringIncludes(unit, "ExecStart=/usr/local/sbin/iscsi serve --log journal\n");
    assertStringIncludes(unit, "ReadWritePaths=-/data/iscsi\n");
    assert(!unit.includes(box.root), unit);
  }));

Deno.test("iscsi install finds the init system of the box, and says when it knows none", () =>
  withBox((box) => {
    const none = box.install().report;
    assertEquals(none.init, null);
    assertStringIncludes(none.next.at(-1)!, "iscsi serve");
    box.write("/sbin/openrc-run", "");
    const { report, actions } = box.install();
    assertEquals([report.init, actions[SERVICE]], ["openrc", "install"]);
  }));

Deno.test("iscsi install refuses to install the source, and into what is no folder", async () => {
  const { stderr, exitCode } = await runCommand(["install", "--root", "/nowhere"]);
  assertEquals(exitCode, 1);
  assertStringIncludes(stderr, "deno task compile");
  let text = "";
  const context = {
    stdout: { write: () => {} },
    stderr: { write: (part: string) => void (text += part) },
    version: "",
  };
  const options = { root: "/nowhere", init: undefined, dryRun: true };
  assertEquals(installProgram(context, options, { program: "/bin/true", commands: COMMANDS }), 1);
  assertStringIncludes(text, '"/nowhere": it is no folder');
});

Deno.test({
  name: "iscsi install of a program with few rights names the way that remains",
  permissions: { read: false, write: false },
  fn(): void {
    let text = "";
    const context = {
      stdout: { write: (): void => {} },
      stderr: { write: (part: string) => void (text += part) },
      version: "",
    };
    const options = { root: "/", init: undefined, dryRun: false, json: false };
    assertEquals(installProgram(context, options, { program: "/bin/true", commands: COMMANDS }), 1);
    assertStringIncludes(text, "copy it to /usr/local/sbin/iscsi");
  },
});

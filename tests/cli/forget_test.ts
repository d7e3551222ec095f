import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { ManPage } from "../dist/man_page.ts";
import { snapshot, withScratch } from "../provision/scratch.ts";
import { runCommand } from "./command_run.ts";

/** Builds [a] and [b], and removes [b] from the conf. */
async function makeUnused(folder: string): Promise<string> {
  const conf = join(folder, "conf");
  const head = `storage=${folder}/s\nnetworks=127.0.0.0/8\n[a]\nsize=1MB\n`;
  Deno.writeTextFileSync(conf, `${head}[b]\nsize=2MB\n`);
  assertEquals((await runCommand(["build", "--conf", conf])).exitCode, 0);
  Deno.writeTextFileSync(conf, head);
  return conf;
}

const TABLE = "      SIZE   ALLOCATED  FILE\n      2 MB     0 bytes  /scratch/s/b\n";

Deno.test("iscsi forget lists the files, asks, and deletes them", () =>
  withScratch(async (folder) => {
    const conf = await makeUnused(folder);
    const line = ["forget", "b", "--conf", conf];
    const before = snapshot(folder);
    const questions: string[] = [];
    const answering = (answer: boolean): { confirm: (question: string) => Promise<boolean> } => ({
      confirm: (question) => {
        questions.push(question);
        return Promise.resolve(answer);
      },
    });
    assertEquals(await runCommand([...line, "-n"], folder), {
      stdout: `${TABLE}Dry run: nothing was deleted\n`,
      stderr: "",
      exitCode: 0,
    });
    const blind = await runCommand(line, folder);
    assertEquals([blind.stderr, blind.exitCode], ["iscsi: Not a terminal, cannot ask: add --yes\n", 2]);
    const no = await runCommand(line, folder, answering(false));
    assertEquals([no.stderr, no.exitCode], ["iscsi: Nothing was done\n", 1]);
    assertEquals(snapshot(folder), before);
    const yes = await runCommand(line, folder, answering(true));
    assertEquals([yes.stdout, yes.exitCode], [`${TABLE}Deleted /scratch/s/b\n`, 0]);
    assertEquals(questions, ["Delete this file and its data?", "Delete this file and its data?"]);
    assertEquals([...Deno.readDirSync(join(folder, "s"))].map(({ name }) => name).toSorted(), [
      ".iscsi",
      "a",
    ]);
    // Nothing is left to mention.
    assertEquals((await runCommand(["build", "--conf", conf])).stdout.includes("unused"), false);
  }));

Deno.test("iscsi forget refuses what it must not delete, each with the reason", () =>
  withScratch(async (folder) => {
    const conf = await makeUnused(folder);
    const { stdout, stderr, exitCode } = await runCommand(
      ["forget", "b", "a", "c", "-y", "-c", conf],
      folder,
    );
    assertEquals([stdout, exitCode], ["", 1]);
    assertEquals(
      stderr,
      'iscsi: Cannot forget "/scratch/s/a": it is LUN 0 of [a]; remove that from the conf first\n' +
        'iscsi: Cannot forget "/scratch/s/c": there is no such backing file\n' +
        "iscsi: Nothing was deleted\n",
    );
    assert(Deno.statSync(join(folder, "s/b")).isFile);
    Deno.writeTextFileSync(conf, "sise=1MB\n");
    const wrong = await runCommand(["forget", "b", "-y", "-c", conf], folder);
    assertEquals(wrong.exitCode, 3);
  }));

Deno.test("iscsi forget --json prints what was deleted, with the fields of iscsi(8)", () =>
  withScratch(async (folder) => {
    const conf = await makeUnused(folder);
    const dry = await runCommand(["forget", "b", "-n", "--json", "-c", conf], folder);
    const files = [{ path: "/scratch/s/b", sizeBytes: 2 ** 21, allocatedBytes: 0 }];
    assertEquals(JSON.parse(dry.stdout), { file: "/scratch/conf", dryRun: true, files });
    const done = await runCommand(["forget", "b", "-y", "--json", "-c", conf], folder);
    assertEquals(JSON.parse(done.stdout), { file: "/scratch/conf", dryRun: false, files });
    assertEquals([done.stderr, done.exitCode], ["", 0]);
    const again = await runCommand(["forget", "b", "-y", "--json", "-c", conf], folder);
    const { error } = JSON.parse(again.stdout);
    assertStringIncludes(error.message, "there is no such backing file");
    const words = new ManPage("iscsi.8").jsonWords("forget");
    assertEquals(
      ["file", "dryRun", "files", "path", "sizeBytes", "allocatedBytes"].filter((w) => !words.has(w)),
      [],
    );
  }));

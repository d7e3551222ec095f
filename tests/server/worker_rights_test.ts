/** The rights of the target worker, on a real worker that has exactly those and tries what it should not. */
import { assertEquals } from "@std/assert";
import { workerPermissions } from "../../lib/server/worker_permissions.ts";
import { configOf } from "../provision/conf.ts";
import { withScratch } from "../provision/scratch.ts";
import { ATTEMPTS, type ProbeTask } from "./_probe_worker.ts";

/** A port that nobody listens at now. */
function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

function makeFiles(folder: string): void {
  for (const name of ["storage", "outside", "elsewhere"]) Deno.mkdirSync(`${folder}/${name}`);
  const files = [
    "storage/disk",
    "outside/secret",
    "elsewhere/disk",
    "elsewhere/disk.other",
    "elsewhere/kept",
  ];
  for (const name of files) Deno.writeTextFileSync(`${folder}/${name}`, "a secret");
  Deno.writeTextFileSync(`${folder}/outside/module.js`, "export {};");
}

/** Lets the probe try everything under these rights. */
async function probe(
  permissions: Deno.PermissionOptionsObject,
  task: ProbeTask,
): Promise<Record<string, string>> {
  const worker = new Worker(new URL("./_probe_worker.ts", import.meta.url).href, {
    type: "module",
    deno: { permissions },
  });
  const answer = Promise.withResolvers<Record<string, string>>();
  worker.onmessage = ({ data }: MessageEvent<Record<string, string>>) => answer.resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    answer.reject(new Error(event.message));
  };
  worker.postMessage(task);
  try {
    return await answer.promise;
  } finally {
    worker.terminate();
  }
}

/** What must become of each attempt. */
function expectedOutcomes(attempts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    ["ask for more", ...attempts].map((name) => [name, name.startsWith("may ") ? "done" : "NotCapable"]),
  );
}

async function withSurroundings(
  test: (folder: string, task: Omit<ProbeTask, "attempts">) => Promise<void>,
): Promise<void> {
  await withScratch(async (folder) => {
    makeFiles(folder);
    // Somebody listens there, so that a connection would succeed if it were allowed.
    using other = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    await test(folder, {
      storage: `${folder}/storage`,
      outside: `${folder}/outside`,
      elsewhere: `${folder}/elsewhere/disk`,
      readOnlyElsewhere: `${folder}/elsewhere/kept`,
      otherPort: other.addr.port,
      portalPort: freePort(),
    });
  });
}

Deno.test("a worker with the rights of the target worker can do what it must, and nothing else", () =>
  withSurroundings(async (folder, task) => {
    const config = configOf(
      ...[`storage=${folder}/storage`, "networks=127.0.0.0/8", "[a]", "size=1MB", "file=disk"],
      ...["[b]", "size=1MB", `file=${folder}/elsewhere/disk`],
      ...["[c]", "size=1MB", `file=${folder}/elsewhere/kept`, "readonly=y"],
    );
    const portals = [{ address: "127.0.0.1", port: task.portalPort }];
    const permissions = workerPermissions({ config, portals, standIns: new Map() });
    const attempts = Object.keys(ATTEMPTS);
    assertEquals(await probe(permissions, { ...task, attempts }), expectedOutcomes(attempts));
    assertEquals(Deno.readTextFileSync(`${task.outside}/secret`), "a secret");
    assertEquals([...Deno.readDirSync(task.outside)].length, 2);
  }));

Deno.test("a worker without portals has no right to any network", () =>
  withSurroundings(async (folder, task) => {
    const config = configOf(
      `storage=${folder}/storage`,
      "networks=10.99.99.0/24",
      "[a]",
      "size=1MB",
      "file=disk",
    );
    const permissions = workerPermissions({ config, portals: [], standIns: new Map() });
    const attempts = Object.keys(ATTEMPTS).filter((name) => /connect|listen|fetch/.test(name));
    const expected = Object.fromEntries(["ask for more", ...attempts].map((name) => [name, "NotCapable"]));
    assertEquals(await probe(permissions, { ...task, attempts }), expected);
  }));

/** `iscsi reload` and the end of `iscsi build`, against fake servers. */
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { ControlServer } from "../../lib/control/control_server.ts";
import type { Clock } from "../../lib/iscsi/clock.ts";
import { StorageLock } from "../../lib/provision/storage_lock.ts";
import { systemClock } from "../../lib/server/system.ts";
import { handlersWith } from "../control/_handlers.ts";
import { withScratch } from "../provision/scratch.ts";
import { runCommand } from "./command_run.ts";
import type { ReloadReport } from "../../lib/control/control_requests.ts";

const MAIN = fromFileUrl(new URL("../../main.ts", import.meta.url));
const NOTHING: ReloadReport = { dryRun: false, changes: [], obstacle: null };

/** A fake server that answers only requests to reload. */
interface FakeServer {
  readonly folder: string;
  readonly conf: string;
  /** Ends the server and its connections. */
  readonly end: () => void;
}

/** Runs a test with a storage folder that is built, and with a server that is asked to reload. */
function withServer(
  reload: () => Promise<ReloadReport>,
  test: (server: FakeServer) => Promise<void>,
): Promise<void> {
  return withScratch(async (folder) => {
    const conf = join(folder, "conf");
    Deno.writeTextFileSync(conf, `storage=${folder}/s\nnetworks=127.0.0.0/8\n[a]\nsize=1MB\n`);
    await runCommand(["build", "--conf", conf]);
    const held = await StorageLock.acquire(join(folder, "s/.iscsi"), "serve");
    if (!("lock" in held)) throw new Error("somebody else serves the scratch folder");
    const server = await ControlServer.listen(join(folder, "s/.iscsi/control"), handlersWith({ reload }));
    let isEnded = false;
    const end = (): void => {
      if (!isEnded) server[Symbol.dispose]();
      isEnded = true;
    };
    try {
      await test({ folder, conf, end });
    } finally {
      end();
      held.lock.release();
    }
  });
}

/** A clock on which a second passes in a millisecond. */
const FAST_CLOCK: Clock = {
  ...systemClock,
  after: (delayMs, callback) => systemClock.after(delayMs === 1000 ? 1 : delayMs, callback),
};

const tail = `see the log of the server running on "/scratch/s" (pid ${Deno.pid}) for the result\n`;

Deno.test("iscsi reload prints odd names of initiators as the conf lists them", () => {
  const sessions = [{
    initiator: "iqn.2008-11.org.linux-kvm:web server 1",
    address: "10.0.0.2",
    target: "a",
  }];
  const changes = [{ description: "removed target [a]", consequence: "ended", sessions } as const];
  return withServer(() => Promise.resolve({ ...NOTHING, changes }), async ({ conf }) => {
    const { stdout } = await runCommand(["reload", "--conf", conf]);
    const shown = '      "iqn.2008-11.org.linux-kvm:web server 1" (10.0.0.2) at [a]';
    assertEquals(stdout.split("\n").at(-2), shown);
  });
});

Deno.test("iscsi reload waits for a slow server, and shows that on a terminal", async () => {
  const answer = Promise.withResolvers<ReloadReport>();
  await withServer(() => answer.promise, async ({ folder, conf }) => {
    let shown = "";
    const write = (text: string): void => {
      shown += text;
      if (text.includes("Waiting for the server: 0 s")) answer.resolve(NOTHING);
    };
    const surroundings = { stderr: { write }, showsProgress: true, clock: FAST_CLOCK };
    const { stdout, exitCode } = await runCommand(["reload", "--conf", conf], folder, surroundings);
    assertEquals([stdout, exitCode], [`Nothing changed in the running server (pid ${Deno.pid})\n`, 0]);
    assert(shown.endsWith("\r\x1b[K"), shown);
  });
});

Deno.test("iscsi reload and build report an unknown result as unfinished", async () => {
  for (const command of ["reload", "build"]) {
    let end = (): void => {};
    const reload = (): Promise<ReloadReport> => {
      end();
      return new Promise(() => {});
    };
    await withServer(reload, async (server) => {
      ({ end } = server);
      const { stderr, exitCode } = await runCommand([command, "--conf", server.conf], server.folder);
      assertEquals([stderr, exitCode], [
        `iscsi: The server closed the connection before the end of its answer; ${tail}`,
        1,
      ]);
    });
  }
});

Deno.test("iscsi reload --json has the reason of an unknown result", () => {
  let end = (): void => {};
  const reload = (): Promise<ReloadReport> => {
    end();
    return new Promise(() => {});
  };
  return withServer(reload, async (server) => {
    ({ end } = server);
    const { stdout, exitCode } = await runCommand(["reload", "--conf", server.conf, "--json"]);
    const live = {
      pid: Deno.pid,
      unfinished: "The server closed the connection before the end of its answer",
    };
    assertEquals([JSON.parse(stdout).live, exitCode], [live, 1]);
  });
});

Deno.test("Ctrl-C ends iscsi reload at once, which names the server's log", async () => {
  const asked = Promise.withResolvers<void>();
  const reload = (): Promise<ReloadReport> => {
    asked.resolve();
    return new Promise(() => {});
  };
  await withServer(reload, async ({ folder, conf }) => {
    const rights = ["--quiet", "--no-prompt", "--allow-read", "--allow-write", "--allow-net", "--allow-sys"];
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", ...rights, MAIN, "reload", "--conf", conf],
      stdout: "null",
      stderr: "piped",
    }).spawn();
    await asked.promise;
    child.kill("SIGINT");
    const { code, stderr } = await child.output();
    const said = new TextDecoder().decode(stderr).replaceAll(folder, "/scratch");
    assertEquals([said, code], [`iscsi: Interrupted; ${tail}`, 130]);
  });
});

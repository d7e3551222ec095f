/** `iscsi disconnect` and `iscsi reservations` in this process, against a fake server. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import type { ControlHandlers, DisconnectRequest } from "../../lib/control/control_requests.ts";
import { ControlServer } from "../../lib/control/control_server.ts";
import type { UnitReservations } from "../../lib/control/unit_reservations.ts";
import { handlersWith } from "../control/_handlers.ts";
import { ManPage } from "../dist/man_page.ts";
import { withScratch } from "../provision/scratch.ts";
import { type CommandRun, runCommand } from "./command_run.ts";
import type { SessionSnapshot } from "../../lib/iscsi/session/session_snapshot.ts";

const NODE = "iqn.2002-08.info.netmanager";
const ANNA = "iqn.2011-07.com.example:anna";
const ISID = "00023d000001";

function sessionOf(tsih: number, initiatorName: string, targetName: string | null): SessionSnapshot {
  return {
    tsih,
    isid: ISID,
    initiatorName,
    targetName,
    beganAtMs: 0,
    connections: [],
    reservations: [],
    traffic: null,
  };
}

const SESSIONS = [
  sessionOf(1, ANNA, `${NODE}:a`),
  sessionOf(2, ANNA, `${NODE}:b`),
  sessionOf(3, `${NODE}:a`, `${NODE}:b`),
  sessionOf(4, ANNA, null),
];

const TARGETS = ["a", "b", "idle"].map((name) => ({
  name,
  iscsiName: `${NODE}:${name}`,
  comment: name,
  logicalUnits: [],
}));

const STATUS = {
  version: "1",
  pid: 1,
  uptimeSeconds: 0,
  monotonicMs: 0,
  storage: "/data",
  portals: [],
  workers: [],
  warnings: [],
  paths: [],
  space: { files: [], fileSystems: [] },
  ready: true,
  node: {
    sessions: SESSIONS,
    initiators: [],
    targets: TARGETS,
    problems: [],
    connectionsInLogin: 0,
    limits: { sessions: 32, connections: 8 },
    refusals: {
      totals: {
        target: 0,
        networks: 0,
        initiators: 0,
        authentication: 0,
        limit: 0,
        time: 0,
        protocol: 0,
        fault: 0,
      },
      recent: [],
    },
  },
};

/** Runs a command against a server with these handlers. */
function runAgainst(
  handlers: Partial<ControlHandlers>,
  args: readonly string[],
  answer?: boolean,
): Promise<CommandRun & { questions: string[] }> {
  const questions: string[] = [];
  return new Promise((resolve, reject) => {
    withScratch(async (folder) => {
      const conf = join(folder, "iscsi.conf");
      Deno.writeTextFileSync(conf, `storage=${folder}\n[a]\nsize=1MB\n`);
      Deno.mkdirSync(join(folder, ".iscsi"));
      using _server = await ControlServer.listen(join(folder, ".iscsi", "control"), handlersWith(handlers));
      const confirm = (question: string): Promise<boolean> => {
        questions.push(question);
        return Promise.resolve(answer!);
      };
      const run = await runCommand(
        [...args, "--conf", conf],
        folder,
        answer === undefined ? {} : { confirm },
      );
      resolve({ ...run, questions });
    }).catch(reject);
  });
}

/** Runs `iscsi disconnect` and returns its requests to the server. */
async function disconnected(...args: readonly string[]): Promise<DisconnectRequest | undefined> {
  let asked: DisconnectRequest | undefined;
  await runAgainst({
    status: () => Promise.resolve(STATUS),
    disconnect: (request) => {
      asked = request;
      return Promise.resolve({ ended: request.sessions, remaining: [] });
    },
  }, ["disconnect", ...args, "--yes"]);
  return asked;
}

Deno.test("iscsi disconnect finds sessions by number, initiator and target, and others not at all", async () => {
  assertEquals(await disconnected("2"), { sessions: [2], now: false });
  assertEquals(await disconnected("4", "--now"), { sessions: [4], now: true });
  assertEquals(await disconnected(ANNA.toUpperCase()), { sessions: [1, 2, 4], now: false });
  assertEquals(await disconnected("B"), { sessions: [2, 3], now: false });
  // An initiator that calls itself as a target does: both are meant, and shown before.
  assertEquals(await disconnected(`${NODE}:a`), { sessions: [1, 3], now: false });
  for (const unknown of ["0", "5", "c", "anna", ""]) {
    assertEquals(await disconnected(unknown), undefined, unknown);
  }
});

Deno.test("iscsi disconnect and iscsi reservations take and show odd names of initiators", async () => {
  const initiatorName = "iqn.2008-11.org.linux-kvm:vm (1), $x";
  const shown = '"iqn.2008-11.org.linux-kvm:vm (1), \\$x"';
  const node = { ...STATUS.node, sessions: [sessionOf(9, initiatorName, `${NODE}:a`)] };
  const handlers: Partial<ControlHandlers> = {
    status: () => Promise.resolve({ ...STATUS, node }),
    disconnect: ({ sessions }) => Promise.resolve({ ended: sessions, remaining: [] }),
    reservations: () =>
      Promise.resolve(UNITS.map((unit) => ({
        ...unit,
        registrations: unit.registrations.slice(0, 1).map((registration) => ({
          ...registration,
          initiatorName,
        })),
        reservedBy: unit.reservedBy && { ...unit.reservedBy, initiatorName },
      }))),
  };
  const ended = await runAgainst(handlers, ["disconnect", initiatorName.toUpperCase(), "--yes"]);
  assertEquals(ended.stdout, `session 9: ${shown} at [a]\n1 session has ended\n`);
  const { stdout } = await runAgainst(handlers, ["reservations"]);
  assertStringIncludes(stdout, `  holds  00000000000000aa  ${shown.slice(0, 8)}`);
  assertStringIncludes(stdout, `  RESERVE by ${shown}  ${ISID}\n`);
});

Deno.test("iscsi disconnect reports why it finds no session", async () => {
  for (
    const [whom, problem] of [["idle", "no initiator is logged in"], [
      "c",
      "no such session, initiator or target",
    ]] as const
  ) {
    const run = await runAgainst({ status: () => Promise.resolve(STATUS) }, ["disconnect", whom, "--yes"]);
    assertStringIncludes(run.stderr, `Cannot disconnect "${whom}": ${problem}`);
    assertEquals(run.exitCode, 1);
  }
});

Deno.test("iscsi disconnect asks at the terminal, and accepts no", async () => {
  const handlers: Partial<ControlHandlers> = {
    status: () => Promise.resolve(STATUS),
    disconnect: () => Promise.resolve({ ended: [1], remaining: [2] }),
  };
  const declined = await runAgainst(handlers, ["disconnect", "a"], false);
  assertEquals(declined, {
    stdout: `session 1: ${ANNA} at [a]\n`,
    stderr: "iscsi: Nothing was done\n",
    exitCode: 1,
    questions: ["Ask these initiators to log out?"],
  });
  const accepted = await runAgainst(handlers, ["disconnect", "1", "--now"], true);
  assertEquals(accepted.questions, ["Cut these sessions at once?"]);
  assertEquals(accepted.stdout.split("\n")[1], "1 session has ended");
  assertEquals([accepted.stderr, accepted.exitCode], ["iscsi: Sessions not ended: 2\n", 1]);
  const unasked = await runAgainst(handlers, ["disconnect", "1"]);
  assertEquals(unasked.exitCode, 2);
  assertStringIncludes(unasked.stderr, "iscsi: Not a terminal, cannot ask: add --yes");
});

const UNITS: readonly UnitReservations[] = [
  {
    target: "a",
    targetName: `${NODE}:a`,
    lun: 0,
    areKnown: true,
    generation: 7,
    persists: true,
    registrations: [
      { initiatorName: ANNA, isid: ISID, key: "00000000000000aa", holds: true, isLoggedIn: true },
      {
        initiatorName: "iqn.2008-11.org.linux-kvm:build-server-17.rack-4.example.com",
        isid: "00023d000002",
        key: "ffffffffffffff01",
        holds: false,
        isLoggedIn: false,
      },
    ],
    type: "writeExclusiveRegistrantsOnly",
    reservedBy: null,
  },
  {
    target: "a",
    targetName: `${NODE}:a`,
    lun: 1,
    areKnown: true,
    generation: 0,
    persists: false,
    registrations: [],
    type: null,
    reservedBy: { initiatorName: ANNA, isid: ISID },
  },
];

const SHOWN = `\
LUN 0 of [a]
  write exclusive, registrants only; generation 7; survives a loss of power
  holds  00000000000000aa  iqn.2011-07.com.example:anna  00023d000001  logged in
         ffffffffffffff01  iqn.2008...ack-4.example.com  00023d000002  away
LUN 1 of [a]
  RESERVE by iqn.2011-07.com.example:anna  00023d000001
`;

Deno.test("iscsi reservations shows holders and registrations in 80 columns", async () => {
  const handlers: Partial<ControlHandlers> = { reservations: () => Promise.resolve(UNITS) };
  const { stdout, stderr, exitCode } = await runAgainst(handlers, ["reservations"]);
  assertEquals([stdout, stderr, exitCode], [SHOWN, "", 0]);
  assertEquals(stdout.split("\n").filter((line) => line.length > 80), []);
  const json = await runAgainst(handlers, ["reservations", "--json"]);
  assertEquals(JSON.parse(json.stdout), UNITS);
  const words = new ManPage("iscsi.8").jsonWords("reservations");
  for (
    const field of UNITS.flatMap((unit) => [unit, ...unit.registrations, unit.reservedBy ?? {}]).flatMap(
      Object.keys,
    )
  ) {
    assert(words.has(field), field);
  }
});

Deno.test("iscsi reservations shows unknown reservations as unknown", async () => {
  const unknown = { ...UNITS[1]!, areKnown: false, reservedBy: null };
  const handlers: Partial<ControlHandlers> = { reservations: () => Promise.resolve([unknown]) };
  const { stdout } = await runAgainst(handlers, ["reservations"]);
  assertEquals(stdout, 'LUN 1 of [a]\n  unknown, LUN not served: see "iscsi status"\n');
});

Deno.test("iscsi reservations clear clears the listed reservations after confirmation", async () => {
  const cleared: unknown[] = [];
  const handlers: Partial<ControlHandlers> = {
    status: () => Promise.resolve(STATUS),
    reservations: () => Promise.resolve(UNITS),
    clearReservations: (unit) => {
      cleared.push(unit);
      return Promise.resolve(null);
    },
  };
  const declined = await runAgainst(handlers, ["reservations", "clear", "a"], false);
  assertEquals([declined.stdout, declined.exitCode, cleared], [SHOWN, 1, []]);
  const one = await runAgainst(handlers, ["reservations", "clear", `${NODE}:A`, "1"], true);
  assertEquals([one.stdout.split("\n").at(-2), one.exitCode], ["Cleared LUN 1 of [a]", 0]);
  await runAgainst(handlers, ["reservations", "clear", "a", "--yes"]);
  assertEquals(cleared, [{ target: "a", lun: 1 }, { target: "a", lun: 0 }, { target: "a", lun: 1 }]);
  const none = await runAgainst(handlers, ["reservations", "clear", "a", "2"]);
  assertEquals([none.stdout, none.exitCode], ["LUN 2 of [a] has no reservations\n", 0]);
  const unknown = await runAgainst(handlers, ["reservations", "clear", "c"]);
  assertEquals([unknown.stdout, unknown.exitCode], ["", 1]);
  assertStringIncludes(unknown.stderr, 'Cannot clear "c": no such target');
  for (const wrong of [["clear"], ["show"], ["clear", "a", "x"]]) {
    assertEquals((await runAgainst(handlers, ["reservations", ...wrong])).exitCode, 2);
  }
});

Deno.test("iscsi disconnect and reservations clear --json print the fields of iscsi(8)", async () => {
  const handlers: Partial<ControlHandlers> = {
    status: () => Promise.resolve(STATUS),
    disconnect: ({ sessions }) =>
      Promise.resolve({ ended: sessions.slice(0, 1), remaining: sessions.slice(1) }),
  };
  const run = await runAgainst(handlers, ["disconnect", ANNA, "--yes", "--json"]);
  const { error, ...document } = JSON.parse(run.stdout);
  assertEquals(document, { ended: [1], remaining: [2, 4] });
  assertEquals([error.exitCode, error.message], [1, "Sessions not ended: 2, 4"]);
  assertEquals(run.stderr, "iscsi: Sessions not ended: 2, 4\n");
  const words = new ManPage("iscsi.8").jsonWords("disconnect");
  for (const field of Object.keys(document)) assert(words.has(field), field);
  const asked = await runAgainst(handlers, ["disconnect", "2", "--json"], false);
  assertStringIncludes(asked.stderr, "session 2: ");
  assertEquals(JSON.parse(asked.stdout).error.message, "Nothing was done");
  const none = await runAgainst(
    { ...handlers, reservations: () => Promise.resolve([]) },
    ["reservations", "clear", "a", "--yes", "--json"],
  );
  assertEquals(JSON.parse(none.stdout), { cleared: [] });
});

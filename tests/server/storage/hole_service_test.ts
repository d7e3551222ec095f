/** The supervisor's side of thin provisioning, with the real program. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import type { Config } from "../../../lib/config/config.ts";
import { HelperGuard } from "../../../lib/provision/helper_guard.ts";
import { delay } from "../../../lib/base/delay.ts";
import { HoleService } from "../../../lib/server/storage/hole_service.ts";
import type { ByteRange } from "../../../lib/store/byte_range.ts";
import { FileStore } from "../../../lib/store/file_store.ts";
import { ThinStore } from "../../../lib/store/thin_store.ts";
import { RemotePunching } from "../../../lib/server/worker/remote_puncher.ts";
import { systemClock } from "../../../lib/server/system.ts";
import { SpaceGauge } from "../../../lib/server/storage/measure_space.ts";
import { exists, guardWith, startShell } from "../../provision/fallocate_stand_in.ts";
import { configOf } from "../../provision/conf.ts";
import { withScratch } from "../../provision/scratch.ts";
import { withHelperOutput } from "../../support/helper_output.ts";
import { numberFromEnvironment, seededRandom } from "../../support/seeded_random.ts";
import { testWithTools } from "../../support/tools.ts";
import { FILE_BYTES, KeptLog, makeServed, pathOf, type Served } from "../_serving.ts";
import { until } from "../../support/until.ts";

const gauge = new SpaceGauge(systemClock);
const KIB4 = 4096;

/** A service in a run of its own, which the test ends. */
class TestService extends HoleService {
  readonly guard: HelperGuard;

  constructor(guard: HelperGuard, log: KeptLog) {
    super(guard, log);
    this.guard = guard;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    this.guard[Symbol.dispose]();
  }
}

async function openService(storage: string, log: KeptLog): Promise<TestService> {
  return new TestService(await HelperGuard.open(storage, (message) => log.warning(message)), log);
}

async function open(config: Config, devicePaths: readonly string[], log: KeptLog): Promise<TestService> {
  const holes = await openService(config.storage, log);
  holes.follow({ config, devicePaths });
  return holes;
}

function fill(path: string): void {
  const file = Deno.openSync(path, { write: true });
  file.writeSync(new Uint8Array(FILE_BYTES).fill(0xa5));
  file.close();
}

testWithTools("HoleService makes holes in the files of the conf", ["fallocate"], async () => {
  await withScratch(async (storage) => {
    const { config, ...served } = makeServed(storage);
    const [a, b] = ["a", "b"].map((name) => pathOf({ config, ...served }, name)) as [string, string];
    fill(a);
    const log = new KeptLog();
    {
      await using holes = await open(config, [b], log);
      assertEquals(holes.paths, [a]);
      const before = (await gauge.measure([a])).get(a)!;
      const result = await holes.punch(a, [
        { offset: 0, lengthBytes: KIB4 },
        { offset: FILE_BYTES / 2, lengthBytes: FILE_BYTES / 2 },
      ]);
      assertEquals(result, "punched");
      const content = Deno.readFileSync(a);
      assertEquals([content.length, content[0], content[KIB4], content[FILE_BYTES / 2]], [
        FILE_BYTES,
        0,
        0xa5,
        0,
      ]);
      assertEquals(before.usedBytes - (await gauge.measure([a])).get(a)!.usedBytes, FILE_BYTES / 2 + KIB4);
    }
    assertEquals([...Deno.readDirSync(join(storage, ".iscsi", "helpers"))], []);
    assertEquals(log.lines, []);
  });
});

testWithTools("HoleService does nothing that a worker has no right to ask for", ["fallocate"], async () => {
  await withScratch(async (storage) => {
    const served = makeServed(storage);
    const path = pathOf(served, "a");
    fill(path);
    const other = join(storage, "other");
    Deno.writeFileSync(other, new Uint8Array(FILE_BYTES).fill(0xa5));
    const log = new KeptLog();
    await using holes = await open(served.config, [], log);
    const requests: readonly (readonly [string, number, number])[] = [
      [other, 0, KIB4],
      [`${storage}/b/../a`, 0, KIB4],
      [path, 1, KIB4],
      [path, 0, 100],
      [path, -KIB4, KIB4],
      [path, 0, 0],
      [path, FILE_BYTES, KIB4],
      [path, FILE_BYTES - KIB4, 2 * KIB4],
      [path, 0, Infinity],
      [path, NaN, KIB4],
    ];
    for (const [name, offset, lengthBytes] of requests) {
      assertEquals(
        await holes.punch(name, [{ offset: 0, lengthBytes: KIB4 }, { offset, lengthBytes }]),
        "refused",
      );
    }
    assertEquals(log.lines.length, requests.length);
    for (const file of [path, other]) assert(Deno.readFileSync(file).every((byte) => byte === 0xa5));
  });
});

testWithTools(
  "HoleService gives up what has not begun, and is there for the next worker",
  ["fallocate"],
  async () => {
    await withScratch(async (storage) => {
      const served = makeServed(storage);
      const path = pathOf(served, "a");
      await using holes = await open(served.config, [], new KeptLog());
      const many = Array.from(
        { length: 100 },
        (_, index) => ({ offset: index * 2 * KIB4, lengthBytes: KIB4 }),
      );
      const asked = holes.punch(path, many);
      await holes.renew();
      assertEquals(await asked, "abandoned");
      assertEquals(await holes.punch(path, many.slice(0, 2)), "punched");
    });
  },
);

/**
 * Starts shells that note the number of holes of each request in a file, wait while there is `gate`, and answer with an
 * exit status.
 */
function notingShell(folder: string, status = "0"): HelperGuard["startShell"] {
  const script = `while read -r number ranges && read -r file; do
    set -- $ranges; echo $(($# / 2)) >>"${folder}/parts"
    while [ -e "${folder}/gate" ]; do sleep 0.02; done; echo "$number ${status} bad"; done`;
  return () => startShell(["-c", script]);
}

/** Returns so many ranges of a file of 4 MiB, no two of which are adjacent. */
function scattered(count: number): ByteRange[] {
  return Array.from({ length: count }, (_, index) => ({ offset: index % 512 * 2 * KIB4, lengthBytes: KIB4 }));
}

testWithTools(
  "HoleService divides a large request, and leaves the parts that a stop or a fault precedes",
  ["fallocate"],
  () =>
    withScratch(async (storage) => {
      const served = makeServed(storage);
      const path = pathOf(served, "a");
      const partsOf = (): number[] =>
        Deno.readTextFileSync(join(storage, "parts")).trim().split("\n").map(Number);
      await using holes = await open(served.config, [], new KeptLog());
      holes.guard.startShell = notingShell(storage);
      assertEquals(await holes.punch(path, scattered(1200)), "punched");
      assertEquals(partsOf(), [512, 512, 176]);
      Deno.writeTextFileSync(join(storage, "gate"), "");
      const stopped = holes.punch(path, scattered(1200));
      await until(() => partsOf().length > 3, "the first part has begun");
      const renewed = holes.renew();
      Deno.removeSync(join(storage, "gate"));
      await renewed;
      assertEquals([await stopped, partsOf()], ["abandoned", [512, 512, 176, 512]]);
      holes.follow({ config: served.config, devicePaths: [] });
      Deno.removeSync(join(storage, "parts"));
      const failing = new HoleService(holes.guard, new KeptLog());
      holes.guard.startShell = notingShell(storage, "1");
      failing.follow({ config: served.config, devicePaths: [] });
      assertEquals(await failing.punch(path, scattered(1200)), "refused");
      assertEquals(partsOf(), [512]);
      await failing[Symbol.asyncDispose]();
    }),
);

const SEED = numberFromEnvironment("FUZZ_SEED", 20070104);

testWithTools(
  `HoleService and ThinStore lose no write that follows a hole under way (FUZZ_SEED=${SEED})`,
  ["fallocate"],
  () =>
    withScratch(async (storage) => {
      const random = seededRandom(SEED);
      const served = makeServed(storage);
      const path = pathOf(served, "a");
      fill(path);
      await using holes = await open(served.config, [], new KeptLog());
      const file = FileStore.open(path, { sizeBytes: FILE_BYTES, readOnly: false });
      const puncher = { punch: (ranges: readonly ByteRange[]) => holes.punch(path, ranges) };
      const store = new ThinStore(file, { puncher, isEmpty: false });
      const expected = new Uint8Array(FILE_BYTES).fill(0xa5);
      for (let round = 1; round <= 20; round++) {
        const ranges = scattered(64);
        const work = [store.unmap(ranges)];
        for (const { offset, lengthBytes } of ranges) expected.fill(0, offset, offset + lengthBytes);
        for (let count = random(64); count > 0; count--) {
          const offset = random(128) * KIB4 + random(KIB4);
          const bytes = new Uint8Array(512).fill(round);
          if (!store.writeNow(offset, bytes)) work.push(store.write(offset, bytes));
          expected.set(bytes, offset);
          if (random(16) === 0) await delay(0);
        }
        await Promise.all(work);
        assertEquals(Deno.readFileSync(path), expected, `round ${round}`);
      }
      store.close();
    }),
);

/** A service with a stand-in for `fallocate`. */
async function openWith(program: string, served: Served, log: KeptLog): Promise<TestService> {
  const holes = await open(served.config, [], log);
  const { startShell } = guardWith(served.config.storage, program);
  holes.guard.startShell = startShell;
  return holes;
}

testWithTools("HoleService starts few programs for many holes", ["fallocate", "flock"], async () => {
  await withScratch(async (storage) => {
    const served = makeServed(storage);
    const path = pathOf(served, "a");
    fill(path);
    await using holes = await open(served.config, [], new KeptLog());
    let started = 0;
    const { Command } = Deno;
    Deno.Command = class extends Command {
      constructor(...args: ConstructorParameters<typeof Command>) {
        super(...args);
        started++;
      }
    };
    const ranges = Array.from({ length: 100 }, (_, index) => ({
      offset: index * 2 * KIB4,
      lengthBytes: KIB4,
    }));
    try {
      assertEquals(await holes.punch(path, ranges), "punched");
    } finally {
      Deno.Command = Command;
    }
    assertEquals(started, 1);
    const content = Deno.readFileSync(path);
    for (const { offset } of ranges) assertEquals([content[offset], content[offset + KIB4]], [0, 0xa5]);
  });
});

testWithTools(
  "HoleService reports a hole that failed while another was made",
  ["fallocate", "flock"],
  async () => {
    await withScratch(async (storage) => {
      const served = makeServed(storage);
      const path = pathOf(served, "a");
      const log = new KeptLog();
      // The first one fails while the second, to which nothing happens, is under way.
      const failed = join(storage, "failed");
      const program = `case "$4" in
      0) : >"${failed}"; echo bad >&2; exit 1;;
      *) while [ ! -e "${failed}" ]; do sleep 0.02; done; sleep 0.1;;
    esac`;
      await using holes = await openWith(program, served, log);
      const ranges = [0, 2 * KIB4].map((offset) => ({ offset, lengthBytes: KIB4 }));
      assertEquals(await holes.punch(path, ranges), "refused");
      assertEquals(log.lines.length, 1);
      assertMatch(log.lines[0]!, /^warning: LUN 0 of \[a\]: Cannot punch a hole in ".*": bad; /);
    });
  },
);

testWithTools("HoleService waits for a program whose shell was killed", ["fallocate", "flock"], async () => {
  await withScratch(async (storage) => {
    const served = makeServed(storage);
    const path = pathOf(served, "a");
    const [gate, reached] = [join(storage, "gate"), join(storage, "reached")];
    Deno.writeTextFileSync(gate, "");
    const program = `kill -KILL $PPID; : >"${reached}"; while [ -e "${gate}" ]; do sleep 0.02; done`;
    await using holes = await openWith(program, served, new KeptLog());
    const punched = holes.punch(path, [{ offset: 0, lengthBytes: KIB4 }]);
    await until(() => exists(reached), "the program runs");
    let isRenewed = false;
    const renewed = holes.renew().then(() => isRenewed = true);
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
    assertEquals(isRenewed, false);
    Deno.removeSync(gate);
    await renewed;
    assertEquals(await punched, "refused");
  });
});

testWithTools("HoleService serves on without holes where no program can be run", ["fallocate"], async () => {
  await withScratch(async (storage) => {
    const { config } = makeServed(storage);
    const log = new KeptLog();
    await using holes = await openService(storage, log);
    Deno.removeSync(holes.guard.folder, { recursive: true });
    holes.follow({ config, devicePaths: [] });
    assertEquals(holes.paths, []);
    const reason = `flock: cannot open lock file ${holes.guard.folder}/lock: No such file or directory`;
    const warnings = ["a", "b"].map((name) =>
      `warning: LUN 0 of [${name}]: Cannot release unused space of "${join(storage, name)}": ${reason}`
    );
    assertEquals(log.lines, warnings);
  });
});

/** Returns the names in the folder of a run. */
function namesIn({ guard }: TestService): string[] {
  return [...Deno.readDirSync(guard.folder)].map(({ name }) => name).sort();
}

testWithTools(
  "HoleService makes one link for the holes of a burst, which is gone afterwards",
  ["fallocate"],
  () =>
    withScratch(async (storage) => {
      const served = makeServed(storage);
      const path = pathOf(served, "a");
      fill(path);
      await using holes = await open(served.config, [], new KeptLog());
      assertEquals([namesIn(holes), Deno.statSync(path).nlink], [["lock"], 1]);
      const { linkTo } = holes.guard;
      let links = 0;
      holes.guard.linkTo = (path) => {
        links++;
        return linkTo.call(holes.guard, path);
      };
      for (let count = 0; count < 5; count++) {
        assertEquals(await holes.punch(path, [{ offset: count * KIB4, lengthBytes: KIB4 }]), "punched");
      }
      assertEquals([links, namesIn(holes).length, Deno.statSync(path).nlink], [1, 2, 2]);
      await until(() => namesIn(holes).length === 1, "the link is removed");
      assertEquals(Deno.statSync(path).nlink, 1);
    }),
);

/** Events after which a file is not served as it was. */
const WITHDRAWALS: Readonly<Record<string, (holes: TestService, config: Config) => unknown>> = {
  "it is excluded": (holes, config) => {
    const excluded = config.targets[0]!.logicalUnits.map(({ path }) => path);
    holes.follow({ config, devicePaths: [], excluded });
  },
  "it leaves the conf": (holes, config) => {
    holes.follow({ config: { ...config, targets: config.targets.slice(1) }, devicePaths: [] });
  },
  "its worker is to end": (holes) => holes.abandon(),
  "its worker has ended": (holes) => holes.renew(),
  "the service ends": (holes) => holes[Symbol.asyncDispose](),
};

for (const [event, withdraw] of Object.entries(WITHDRAWALS)) {
  testWithTools(
    `HoleService keeps no link to a file when ${event}`,
    ["fallocate"],
    () =>
      withScratch(async (storage) => {
        const served = makeServed(storage);
        const path = pathOf(served, "a");
        await using holes = await open(served.config, [], new KeptLog());
        assertEquals(await holes.punch(path, [{ offset: 0, lengthBytes: KIB4 }]), "punched");
        assertEquals(Deno.statSync(path).nlink, 2);
        await withdraw(holes, served.config);
        assertEquals(Deno.statSync(path).nlink, 1);
      }),
  );
}

testWithTools(
  "HoleService keeps the link of a request under way when its file is excluded meanwhile",
  ["fallocate", "flock"],
  () =>
    withScratch(async (storage) => {
      const served = makeServed(storage);
      const path = pathOf(served, "a");
      const [gate, reached] = [join(storage, "gate"), join(storage, "reached")];
      Deno.writeTextFileSync(gate, "");
      const program = `: >"${reached}"; while [ -e "${gate}" ]; do sleep 0.02; done; test -e "\${7}"`;
      await using holes = await openWith(program, served, new KeptLog());
      const punched = holes.punch(path, [{ offset: 0, lengthBytes: KIB4 }]);
      await until(() => exists(reached), "the program runs");
      holes.follow({ config: served.config, devicePaths: [], excluded: [path] });
      assertEquals(Deno.statSync(path).nlink, 2);
      Deno.removeSync(gate);
      assertEquals([await punched, Deno.statSync(path).nlink], ["punched", 1]);
    }),
);

testWithTools(
  "HoleService makes another link after a fault",
  ["fallocate"],
  () =>
    withScratch(async (storage) => {
      const served = makeServed(storage);
      const path = pathOf(served, "a");
      await using holes = await open(served.config, [], new KeptLog());
      const first = [{ offset: 0, lengthBytes: KIB4 }];
      assertEquals(await holes.punch(path, first), "punched");
      for (const name of namesIn(holes)) if (name !== "lock") Deno.removeSync(join(holes.guard.folder, name));
      assertEquals([await holes.punch(path, first), await holes.punch(path, first)], ["refused", "punched"]);
    }),
);

testWithTools(
  "HoleService makes a hole in the file itself, not in one that a symbolic link in its place leads to",
  ["fallocate"],
  async () => {
    await withScratch(async (storage) => {
      const served = makeServed(storage);
      const [a, b] = ["a", "b"].map((name) => pathOf(served, name)) as [string, string];
      fill(b);
      await using holes = await open(served.config, [], new KeptLog());
      Deno.removeSync(a);
      Deno.symlinkSync(b, a);
      assertEquals(await holes.punch(a, [{ offset: 0, lengthBytes: KIB4 }]), "refused");
      assertEquals(Deno.readFileSync(b)[0], 0xa5);
    });
  },
);

Deno.test("RemotePunching gives each request the answer that is its own", async () => {
  const posted: { id: number; path: string }[] = [];
  const punching = new RemotePunching(({ id, path }) => posted.push({ id, path }));
  const first = punching.puncherOf("/a").punch([{ offset: 0, lengthBytes: KIB4 }]);
  const second = punching.puncherOf("/b").punch([{ offset: 0, lengthBytes: KIB4 }]);
  assertEquals(posted, [{ id: 1, path: "/a" }, { id: 2, path: "/b" }]);
  punching.answer(7, "refused");
  punching.answer(2, "refused");
  punching.answer(1, "punched");
  assertEquals(await Promise.all([first, second]), ["punched", "refused"]);
});

testWithTools(
  "HoleService follows the conf: what is new, has grown, is protected or gone",
  ["fallocate"],
  async () => {
    await withScratch(async (storage) => {
      const served = makeServed(storage);
      const [a, b] = ["a", "b"].map((name) => pathOf(served, name)) as [string, string];
      const [first, second] = served.config.targets;
      const log = new KeptLog();
      await using holes = await open({ ...served.config, targets: [first!] }, [], log);
      const end = [{ offset: FILE_BYTES, lengthBytes: KIB4 }];
      const start = [{ offset: 0, lengthBytes: KIB4 }];
      assertEquals([await holes.punch(a, end), await holes.punch(b, start)], ["refused", "refused"]);
      Deno.truncateSync(a, 2 * FILE_BYTES);
      const unit = { ...first!.logicalUnits[0]!, sizeBytes: 2 * FILE_BYTES };
      const grown = { ...first!, logicalUnits: [unit] };
      holes.follow({
        config: { ...served.config, targets: [grown, { ...second!, readOnly: true }] },
        devicePaths: [],
      });
      assertEquals(holes.paths, [a, b]);
      assertEquals([await holes.punch(a, end), await holes.punch(b, start)], ["punched", "refused"]);
      holes.follow({ config: { ...served.config, targets: [second!] }, devicePaths: [] });
      assertEquals([await holes.punch(a, start), await holes.punch(b, start)], ["refused", "punched"]);
    });
  },
);

testWithTools(
  "HoleService makes no hole in a file that has taken another's place",
  ["fallocate"],
  async () => {
    await withScratch(async (storage) => {
      const served = makeServed(storage);
      const path = pathOf(served, "a");
      const log = new KeptLog();
      await using holes = await open(served.config, [], log);
      const copy = join(storage, "copy");
      Deno.createSync(copy).close();
      fill(copy);
      Deno.renameSync(copy, path);
      holes.follow({ config: served.config, devicePaths: [] });
      const everything = [{ offset: 0, lengthBytes: FILE_BYTES }];
      assertEquals(await holes.punch(path, everything), "refused");
      assertEquals(Deno.readFileSync(path)[0], 0xa5);
      assertEquals(log.lines, [
        `warning: LUN 0 of [a]: Cannot punch a hole in "${path}": another file has taken its place; ` +
        "its unused space is not released; further failures are counted",
      ]);
      // The next worker opens what is there then.
      await holes.renew();
      holes.follow({ config: served.config, devicePaths: [] });
      assertEquals(await holes.punch(path, everything), "punched");
    });
  },
);

testWithTools("HoleService survives that a file is gone for a while", ["fallocate"], async () => {
  await withScratch(async (storage) => {
    const served = makeServed(storage);
    const path = pathOf(served, "a");
    Deno.renameSync(path, `${path}.away`);
    const log = new KeptLog();
    await using holes = await open(served.config, [], log);
    assertEquals(holes.paths, [pathOf(served, "b")]);
    assertEquals(log.lines.length, 1);
    Deno.renameSync(`${path}.away`, path);
    await holes.renew();
    holes.follow({ config: served.config, devicePaths: [] });
    assertEquals(await holes.punch(path, [{ offset: 0, lengthBytes: FILE_BYTES }]), "punched");
  });
});

/** A folder of another file system than the scratch folders are in; undefined where there is none. */
function otherFileSystem(): string | undefined {
  const memory = "/dev/shm";
  try {
    return Deno.statSync(memory).dev === Deno.statSync("/tmp").dev ? undefined : memory;
  } catch {
    return undefined;
  }
}

const OTHER_FILE_SYSTEM = otherFileSystem();

Deno.test({
  name: "HoleService makes holes on another file system, where it can make no link" +
    (OTHER_FILE_SYSTEM === undefined ? " (there is none)" : ""),
  ignore: OTHER_FILE_SYSTEM === undefined,
  fn: async () => {
    await withScratch(async (storage) => {
      const elsewhere = Deno.makeTempDirSync({ dir: OTHER_FILE_SYSTEM! });
      const path = join(elsewhere, "a");
      try {
        const { config } = makeServed(storage);
        const [target] = config.targets;
        const units = [{ ...target!.logicalUnits[0]!, path }];
        Deno.writeTextFileSync(path, "");
        fill(path);
        const log = new KeptLog();
        const served = { ...config, targets: [{ ...target!, logicalUnits: units }] };
        await using holes = await open(served, [], log);
        assertEquals(await holes.punch(path, [{ offset: 0, lengthBytes: KIB4 }]), "punched");
        assertEquals([Deno.readFileSync(path)[0], Deno.readFileSync(path)[KIB4]], [0, 0xa5]);
        Deno.renameSync(path, `${path}.away`);
        Deno.copyFileSync(`${path}.away`, path);
        assertEquals(await holes.punch(path, [{ offset: KIB4, lengthBytes: KIB4 }]), "refused");
        assertEquals(Deno.readFileSync(path)[KIB4], 0xa5);
        assertEquals(log.lines.length, 1);
      } finally {
        Deno.removeSync(elsewhere, { recursive: true });
      }
    });
  },
});

/** A service for a volume, with stand-ins for the programs: `fallocate` refuses, and `blkdiscard` ends like this. */
function openVolume(folder: string, type: string, discardCode: number): { holes: HoleService; log: KeptLog } {
  const guard = guardWith(folder, "echo no >&2; exit 1");
  Deno.writeTextFileSync(
    `${folder}/blkdiscard`,
    `#!/bin/sh\necho "$*" >>${folder}/discards; exit ${discardCode}\n`,
    {
      mode: 0o755,
    },
  );
  const log = new KeptLog();
  const result = { success: true, stdout: "", stderr: "" };
  const stub = { ...guard, linkTo: () => "/node", runNow: () => result } as unknown as HelperGuard;
  const holes = new HoleService(stub, log);
  const config = configOf("storage=/s", "[a]", "size=1MB", "file=/dev/volume");
  withHelperOutput({ stdout: `253:2 1048576 0  ${type}  vg-thin 137438953472 65536\n` }, () => {
    holes.follow({ config, devicePaths: ["/dev/volume"] });
  });
  return { holes, log };
}

Deno.test("HoleService discards on a thin volume that refuses holes, and reports that", async () => {
  await withScratch(async (folder) => {
    const { holes, log } = openVolume(folder, "lvm", 0);
    assertEquals(holes.paths, ["/dev/volume"]);
    for (let count = 0; count < 2; count++) {
      assertEquals(await holes.punch("/dev/volume", [{ offset: 0, lengthBytes: 65_536 }]), "discarded");
    }
    await holes[Symbol.asyncDispose]();
    const discards = Deno.readTextFileSync(`${folder}/discards`).trim().split("\n");
    assertEquals(discards, Array(2).fill("--force --offset 0 --length 65536 /node"));
    assertEquals(log.lines, []);
  });
});

Deno.test("HoleService never discards on another device, whose blocks could read as anything", async () => {
  await withScratch(async (folder) => {
    const { holes } = openVolume(folder, "disk", 0);
    assertEquals(await holes.punch("/dev/volume", [{ offset: 0, lengthBytes: 65_536 }]), "refused");
    await holes[Symbol.asyncDispose]();
    assertEquals(exists(`${folder}/discards`), false);
  });
});

Deno.test("HoleService reports both faults of a volume that refuses both programs", async () => {
  await withScratch(async (folder) => {
    const { holes, log } = openVolume(folder, "lvm", 1);
    assertEquals(await holes.punch("/dev/volume", [{ offset: 0, lengthBytes: 65_536 }]), "refused");
    await holes[Symbol.asyncDispose]();
    assertMatch(log.lines.join("\n"), /: no; "blkdiscard" ended with exit status 1; /);
  });
});

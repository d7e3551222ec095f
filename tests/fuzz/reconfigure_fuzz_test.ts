/**
 * Applies random confs, one after the other, while initiators are at work. The server serves the last one, and
 * initiators that it does not name as affected notice nothing.
 */
import { assert, assertEquals, equal } from "@std/assert";
import { type Bed, NODE, withBed } from "../server/target/_bed.ts";
import type { DiligentInitiator } from "../support/diligent_initiator.ts";
import { Initiator } from "../support/initiator.ts";
import { inquiry, modeSense6, readCapacity16, reportLuns, testUnitReady } from "../support/initiator_cdb.ts";
import { LoginRefused } from "../support/initiator_login.ts";
import { numberFromEnvironment, seededRandom } from "../support/seeded_random.ts";

const SEED = numberFromEnvironment("FUZZ_SEED", 20070106);
const STEPS = Number(Deno.env.get("FUZZ_STEPS") ?? 40);

const TARGETS = ["a", "b", "c"] as const;
const FILES = ["e", "f", "g", "h"] as const;
const PEOPLE = ["ann", "ben", "cat", "dan"] as const;
/** The most initiators at work at a time: fewer than the smallest LUN has places for. */
const WORKERS_MAX = 4;

const MEGABYTE = 1024 * 1024;

/** A number from 0 to `below` - 1; the same ones in every run. */
type Random = (below: number) => number;

/** The settings of a target. */
interface Plan {
  readonly name: string;
  readonly file: string;
  readonly megabytes: readonly number[];
  readonly readOnly: boolean;
  readonly product: string | undefined;
  readonly blockBytes: number;
  readonly alias: string | undefined;
  /** Empty: everyone. */
  readonly people: readonly string[];
}

/** Makes confs in which files only grow, as `build` requires. */
class Planner {
  readonly #random: Random;
  readonly #megabytes = new Map<string, number>();

  constructor(random: Random) {
    this.#random = random;
  }

  next(before: readonly Plan[]): Plan[] {
    const files = FILES.toSorted(() => this.#random(3) - 1);
    const names = TARGETS.filter((name) =>
      this.#random(before.some((plan) => plan.name === name) ? 8 : 3) > 0
    );
    const kept = new Map(before.map((plan) => [plan.name, plan]));
    const taken = new Set<string>();
    return names.map((name) => {
      const plan = this.#change(kept.get(name) ?? this.#make(name, files.pop()!), files);
      const file = taken.has(plan.file) ? FILES.find((other) => !taken.has(other))! : plan.file;
      taken.add(file);
      return {
        ...plan,
        file,
        megabytes: plan.megabytes.map((size, lun) => this.#sizeOf(`${file}_${lun}`, size)),
      };
    });
  }

  #make(name: string, file: string): Plan {
    const kind = { readOnly: false, product: undefined, blockBytes: 512, alias: undefined };
    return { name, file, megabytes: [1], people: [], ...kind };
  }

  /** Changes one setting, or none. */
  #change(plan: Plan, files: readonly string[]): Plan {
    const { megabytes } = plan;
    switch (this.#random(16)) {
      case 0:
        return { ...plan, megabytes: megabytes.map((size) => size + 1) };
      case 1:
        return { ...plan, megabytes: megabytes.length > 1 ? megabytes.slice(0, -1) : [...megabytes, 1] };
      case 2:
        return { ...plan, readOnly: !plan.readOnly };
      case 3:
        return { ...plan, product: plan.product === undefined ? "OTHER" : undefined };
      case 4:
        return { ...plan, blockBytes: plan.blockBytes === 512 ? 4096 : 512 };
      case 5:
        return { ...plan, alias: plan.alias === undefined ? `${plan.name}${plan.name}` : undefined };
      case 6:
        return { ...plan, people: PEOPLE.filter(() => this.#random(2) === 0) };
      case 7:
        return { ...plan, file: files[0] ?? plan.file };
      default:
        return plan;
    }
  }

  #sizeOf(file: string, megabytes: number): number {
    const size = Math.max(megabytes, this.#megabytes.get(file) ?? 0);
    this.#megabytes.set(file, size);
    return size;
  }
}

function linesOf(plans: readonly Plan[]): string[] {
  return plans.flatMap(({ name, file, megabytes, readOnly, product, blockBytes, alias, people }) => [
    ...[`[${name}]`, `file=${file}`, `size=${megabytes.map((size) => `${size}MB`).join(" ")}`],
    ...[`readonly=${readOnly ? "y" : "n"}`, `blocksize=${blockBytes}`],
    ...(product === undefined ? [] : [`product=${product}`]),
    ...(alias === undefined ? [] : [`alias=${alias}`]),
    ...(people.length === 0
      ? []
      : [`initiators=${people.map((person) => `iqn.2000-01.test:${person}`).join(" ")}`]),
  ]);
}

/** Logs in under a name and takes the first unit attention of every unit; undefined when the login is refused. */
async function visit(bed: Bed, person: string, name: string): Promise<Initiator | undefined> {
  const initiator = await Initiator.connect(bed.server.addresses[0]!.port);
  try {
    const isid = Uint8Array.of(0x80, 0, 0, 0, 1, PEOPLE.indexOf(person as typeof PEOPLE[number]));
    await initiator.login({
      targetName: `${NODE}:${name}`,
      initiatorName: `iqn.2000-01.test:${person}`,
      isid,
    });
    return initiator;
  } catch (error) {
    await initiator.close();
    if (error instanceof LoginRefused) return undefined;
    throw error;
  }
}

/** Returns the properties of a target that a visitor can read. */
async function lookAt(initiator: Initiator): Promise<unknown> {
  const { data } = await initiator.command({ cdb: reportLuns(256), read: 256 });
  const luns = Array.from({ length: data.length / 8 - 1 }, (_, index) => data[8 + index * 8 + 1]!);
  const units = [];
  for (const lun of luns) {
    for (let tries = 0; tries < 4; tries++) await initiator.command({ cdb: testUnitReady(), lun });
    const capacity = (await initiator.command({ cdb: readCapacity16(), lun, read: 32 })).data;
    const view = new DataView(capacity.buffer, capacity.byteOffset);
    const modes = (await initiator.command({ cdb: modeSense6(0x3f, 255), lun, read: 255 })).data;
    const texts = new TextDecoder().decode(
      (await initiator.command({ cdb: inquiry(36), lun, read: 36 })).data,
    );
    const blockBytes = view.getUint32(8);
    units.push({
      megabytes: (view.getUint32(4) + 1) * blockBytes / MEGABYTE,
      blockBytes,
      readOnly: (modes[2]! & 0x80) !== 0,
      product: texts.slice(16, 32).trim(),
    });
  }
  return units;
}

/** Returns the properties that a visitor must read. */
function expectedOf({ megabytes, blockBytes, readOnly, product = "ISCSI DISK" }: Plan): unknown {
  return megabytes.map((size) => ({ megabytes: size, blockBytes, readOnly, product }));
}

/** Returns the properties of a target as an allowed initiator reads them; undefined when it is refused. */
async function seenBy(bed: Bed, person: string, name: string): Promise<unknown> {
  const initiator = await visit(bed, person, name);
  if (initiator === undefined) return undefined;
  const seen = await lookAt(initiator);
  await initiator.close();
  return seen;
}

/** Checks the served targets. A file that moves from one unit to another needs a moment. */
async function checkServed(bed: Bed, plans: readonly Plan[], step: string): Promise<void> {
  for (const name of TARGETS) {
    const plan = plans.find((plan) => plan.name === name);
    for (const person of PEOPLE) {
      const isAllowed = plan !== undefined && (plan.people.length === 0 || plan.people.includes(person));
      const expected = isAllowed ? expectedOf(plan) : undefined;
      let seen = await seenBy(bed, person, plan?.alias ?? name);
      for (let tries = 0; tries < 200 && !equal(seen, expected); tries++) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        seen = await seenBy(bed, person, plan?.alias ?? name);
      }
      assertEquals(seen, expected, `${step}: ${person} at ${name}`);
    }
  }
}

/** An initiator at work, and its target. */
interface Worker {
  readonly person: string;
  readonly target: string;
  readonly initiator: DiligentInitiator;
  noted: number;
}

/** Starts an initiator at a target that everyone may write to, if there is one. */
async function hire(bed: Bed, plans: readonly Plan[], random: Random, index: number): Promise<Worker[]> {
  const open = plans.filter(({ people, readOnly, blockBytes }) =>
    people.length === 0 && !readOnly && blockBytes === 512
  );
  const plan = open[random(open.length)];
  if (plan === undefined) return [];
  const person = `worker${index}`;
  const initiator = await bed.work(person, plan.name, { lba: index % 8 * 256 });
  return [{ person, target: plan.name, initiator, noted: 0 }];
}

Deno.test(`any conf may follow any other (FUZZ_SEED=${SEED})`, () =>
  withBed([], async (bed) => {
    const random = seededRandom(SEED);
    const planner = new Planner(random);
    let plans: Plan[] = [];
    let workers: Worker[] = [];
    for (let number = 0; number < STEPS; number++) {
      const step = `FUZZ_SEED=${SEED}, step ${number}`;
      plans = planner.next(plans);
      const report = bed.server.reconfigure(bed.settings(...linesOf(plans)));
      const concerned = report.flatMap(({ sessions }) =>
        sessions.map(({ initiator }) => initiator.split(":")[1])
      );
      bed.clock.advance(10_000);
      const calm = workers.filter(({ person }) => !concerned.includes(person));
      for (const worker of calm) {
        await worker.initiator.untilRounds(1);
        assertEquals(
          worker.initiator.diary.slice(worker.noted),
          [],
          `${step}: ${worker.person} is not concerned`,
        );
      }
      // Earlier initiators must have left before their files can move to other units.
      for (const worker of workers) if (!calm.includes(worker)) await worker.initiator.stop();
      for (const worker of calm.splice(0, calm.length - WORKERS_MAX + 1)) await worker.initiator.stop();
      workers = calm;
      await checkServed(bed, plans, step);
      for (const worker of workers) worker.noted = worker.initiator.diary.length;
      workers.push(...await hire(bed, plans, random, number));
    }
    assert(bed.log.lines.every((line) => !line.includes("Cannot")), bed.log.lines.join("\n"));
  }));

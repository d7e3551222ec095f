/**
 * A whole server over files, whose operator changes the conf and disconnects initiators while they are at work.
 *
 * The timing of files varies, so two runs of a seed may differ in the order of events.
 */
import { assert, assertEquals } from "@std/assert";
import { Bed, NODE } from "../server/target/_bed.ts";
import type { FakeClock } from "../support/fake_clock.ts";
import { Initiator } from "../support/initiator.ts";
import { testUnitReady } from "../support/initiator_cdb.ts";
import { type ByteStream, createPipe } from "../support/pipe.ts";
import { ENDS } from "../support/harness.ts";
import { type FuzzBench, WITNESS_TARGET } from "./_fuzz_bench.ts";
import { CREDENTIALS, GUARDED, MOVED, WITNESS_NAME } from "./_login_grammar.ts";
import type { Random } from "../support/seeded_random.ts";
import type { StoreWrite } from "./_sent_writes.ts";
import { until } from "../support/until.ts";

const MEGABYTES_MAX = 3;

/** The LUN of a medium that no initiator may write to. */
const NO_LUN = -1;

/** The operator's settings. */
interface Plan {
  readonly isServed: boolean;
  readonly hasSecondUnit: boolean;
  readonly isReadOnly: boolean;
  readonly isForOthers: boolean;
  readonly isElsewhere: boolean;
  readonly product: string;
  readonly file: string;
  readonly secret: string;
  readonly leadsTo: string;
}

const FILES = ["disk", "spare"];

/** The media: those that the mad initiators may write to, and those that no initiator may. */
const MEDIA = [
  ...FILES.flatMap((file) => [{ name: file, lun: 0 }, { name: `${file}_1`, lun: 1 }]),
  { name: GUARDED, lun: NO_LUN },
];

const USUAL: Plan = {
  isServed: true,
  hasSecondUnit: true,
  isReadOnly: false,
  isForOthers: false,
  isElsewhere: false,
  product: "A",
  file: FILES[0]!,
  secret: CREDENTIALS.secret,
  leadsTo: "10.0.0.9",
};

/** The operator's possible changes, by name. */
const CHANGES: Readonly<Record<string, (plan: Plan) => Plan>> = {
  "target removed or added": (plan) => ({ ...plan, isServed: !plan.isServed }),
  "LUN removed or added": (plan) => ({ ...plan, hasSecondUnit: !plan.hasSecondUnit }),
  "write protection": (plan) => ({ ...plan, isReadOnly: !plan.isReadOnly }),
  "access rule": (plan) => ({ ...plan, isForOthers: !plan.isForOthers }),
  "redirection": (plan) => ({ ...plan, isElsewhere: !plan.isElsewhere }),
  "other address": (plan) => ({ ...plan, leadsTo: plan.leadsTo === "10.0.0.9" ? "10.0.0.8" : "10.0.0.9" }),
  "product": (plan) => ({ ...plan, product: plan.product === "A" ? "B" : "A" }),
  "other file": (plan) => ({ ...plan, file: FILES.find((file) => file !== plan.file)! }),
  "other secret": (plan) => ({
    ...plan,
    secret: plan.secret === USUAL.secret ? "another secret" : USUAL.secret,
  }),
};

const WITNESS_LINES = [`[${WITNESS_TARGET}]`, "size=1MB"];

/** Returns the paths of everything that this process has open below a folder. */
function openBelow(folder: string): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      const path = Deno.readLinkSync(`/proc/self/fd/${name}`);
      return path.startsWith(`${folder}/`) ? [path] : [];
    } catch {
      // That by which the folder itself was read is closed by now.
      return [];
    }
  });
}

/** Returns the content of a file; empty when it does not exist yet. */
function readWhole(path: string): Uint8Array {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return new Uint8Array();
    throw error;
  }
}

/** Returns the ranges of a file that have changed. */
function differences(lun: number, before: Uint8Array, after: Uint8Array): StoreWrite[] {
  const writes: StoreWrite[] = [];
  for (let offset = 0; offset < after.length; offset++) {
    if (after[offset] === (before[offset] ?? 0)) continue;
    const start = offset;
    while (offset < after.length && after[offset] !== (before[offset] ?? 0)) offset++;
    writes.push({ lun, offset: start, bytes: after.subarray(start, offset) });
  }
  return writes;
}

/** A server over files. */
export class ServedBench implements FuzzBench {
  readonly #folder: string;
  readonly #bed: Bed;
  readonly witness: Initiator;
  readonly #served: Promise<void>;
  #witnessTsih = 0;
  #plan = USUAL;
  /** By file, of both units: files only become longer. */
  readonly #megabytes = new Map(FILES.map((file) => [file, 1]));
  /** By file, as it was when it was looked at last. */
  readonly #contents = new Map<string, Uint8Array>();

  static async start(): Promise<ServedBench> {
    const folder = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "iscsi-" }));
    const bench = new ServedBench(folder);
    await bench.witness.login({ targetName: `${NODE}:${WITNESS_TARGET}`, initiatorName: WITNESS_NAME });
    await bench.witness.command({ cdb: testUnitReady() });
    bench.#witnessTsih = bench.#bed.server.snapshot().sessions[0]!.tsih;
    return bench;
  }

  private constructor(folder: string) {
    this.#folder = folder;
    Deno.mkdirSync(`${folder}/.iscsi`);
    this.#bed = new Bed(folder, ...WITNESS_LINES);
    const [ours, theirs] = createPipe();
    this.#served = this.serve(theirs);
    this.#served.catch(() => {});
    this.witness = new Initiator(ours, { firstCmdSn: 1 });
    this.#serve(USUAL);
  }

  get clock(): FakeClock {
    return this.#bed.clock;
  }

  get witnessTsih(): number {
    return this.#witnessTsih;
  }

  serve(stream: ByteStream): Promise<void> {
    return this.#bed.server.serve(stream, ENDS);
  }

  interfere(random: Random): string {
    if (random.oneIn(4)) return this.#disconnect(random);
    if (random.oneIn(5)) return this.#grow();
    const [name, change] = random.pick(Object.entries(CHANGES));
    this.#serve(change(this.#plan));
    return name;
  }

  takeWrites(): StoreWrite[] {
    return MEDIA.flatMap(({ name, lun }) => {
      const before = this.#contents.get(name) ?? new Uint8Array();
      const after = readWhole(this.#bed.pathOf(name));
      this.#contents.set(name, after);
      return differences(lun, before, after);
    });
  }

  /** Checks that only the witness is served, and that the files of a removed target are closed. */
  async assertNothingIsLeft(random: Random): Promise<void> {
    const { sessions, connectionsInLogin } = this.#bed.server.snapshot();
    const served = sessions.map(({ tsih, connections }) => [tsih, connections.length]);
    assertEquals([served, connectionsInLogin], [[[this.#witnessTsih, 1]], 0], "whom the server serves");
    const failures = this.#bed.log.lines.splice(0).filter((line) => line.includes("Cannot"));
    assertEquals(failures, [], "what the server could not do");
    if (!random.oneIn(3)) return;
    this.#bed.server.reconfigure(this.#bed.settings(...WITNESS_LINES));
    const own = this.#bed.pathOf(WITNESS_TARGET);
    const isClosed = (): boolean => openBelow(this.#folder).every((path) => path.startsWith(own));
    await until(isClosed, `nothing is under way in ${this.#folder}`);
    this.#serve(random.oneIn(4) ? this.#plan : USUAL);
  }

  async end(): Promise<void> {
    await this.witness.close();
    await this.#served;
    await this.#bed.end();
    Deno.removeSync(this.#folder, { recursive: true });
  }

  #disconnect(random: Random): string {
    const { server } = this.#bed;
    const others = server.snapshot().sessions.filter(({ tsih }) => tsih !== this.#witnessTsih);
    if (others.length === 0) return "nobody to disconnect";
    const graceSeconds = random.oneIn(2) ? random.below(5) : null;
    server.disconnect([random.pick(others).tsih], graceSeconds);
    return graceSeconds === null ? "disconnect at once" : "disconnect with grace";
  }

  #grow(): string {
    const { file } = this.#plan;
    this.#megabytes.set(file, Math.min(MEGABYTES_MAX, this.#megabytes.get(file)! + 1));
    this.#serve(this.#plan);
    return "LUN grown";
  }

  #serve(plan: Plan): void {
    this.#plan = plan;
    const report = this.#bed.server.reconfigure(this.#bed.settings(...this.#linesOf(plan)));
    const concerned = report.flatMap(({ sessions }) => sessions.map(({ target }) => target));
    assert(!concerned.includes(WITNESS_TARGET), "the witness is not concerned");
  }

  #linesOf(plan: Plan): string[] {
    const { file } = plan;
    const size = Array.from({ length: plan.hasSecondUnit ? 2 : 1 }, () => `${this.#megabytes.get(file)}MB`);
    const disk = [
      ...["[disk]", `file=${file}`, `size=${size.join(" ")}`, `product=${plan.product}`],
      `readonly=${plan.isReadOnly ? "y" : "n"}`,
      ...(plan.isForOthers ? ["initiators=iqn.2000-01.a:nobody"] : []),
      ...(plan.isElsewhere ? [`redirect=${plan.leadsTo}`] : []),
    ];
    const secret = new TextEncoder().encode(plan.secret).toHex();
    const guarded = ["size=1MB", "readonly=y", `user=${CREDENTIALS.name}`, `secret=0x${secret}`];
    return [
      ...WITNESS_LINES,
      ...(plan.isServed ? disk : []),
      ...[`[${GUARDED}]`, ...guarded],
      ...[`[${MOVED}]`, "size=1MB", `redirect=${plan.leadsTo}`],
    ];
  }
}

/**
 * Decides whether a restarted product keeps the promises that it made before the crash.
 *
 * - Flushed blocks have their content, or that of a later write. After the death of the process alone, so do
 *   acknowledged ones.
 * - After the death of the process an atomic command has taken place as a whole or not at all. After a power cut only a
 *   flush promises anything.
 * - The work of `iscsi build` is permanent: files, their sizes and their identities.
 * - No file has a block that SANITIZE or FORMAT UNIT has erased. A LUN refuses access only until one has completed; if
 *   it was seen to refuse access, that goes on.
 * - Reservations are those of the last acknowledged request, or of a newer one.
 */
import type { CrashKind } from "./_crash_states.ts";
import { type Disks, type Note, type Observation, TORN } from "./_notes.ts";

/** A command that changes blocks. */
interface Writing {
  readonly id: number;
  readonly lba: number;
  readonly blocks: number;
  readonly how: (Note & { readonly kind: "writing" })["how"];
  isAcknowledged: boolean;
  isDurable: boolean;
}

/** Returns the tag of the blocks after a command. */
function tagOf({ how, id }: Writing): number {
  return how === "unmap" || how === "erase" ? 0 : id;
}

/** The contents that a block may have: writes to it, oldest first. */
interface BlockHistory {
  readonly tag: number;
  readonly writing: Writing | undefined;
}

/** All that is known of a LUN. */
class LunLedger {
  readonly writings = new Map<number, Writing>();
  /** The contents seen durable before any of the writes. */
  base: readonly number[] | undefined;
  /** Access was refused, because SANITIZE or FORMAT UNIT had not completed. */
  isUnsanitized = false;

  /** SANITIZE or FORMAT UNIT was sent, and was not answered. */
  get isSanitizing(): boolean {
    return this.writings.values().some(({ how, isAcknowledged }) => how === "erase" && !isAcknowledged);
  }

  /** Returns what a block may hold after a crash. */
  allowedAt(lba: number, crash: CrashKind): Set<number> {
    const history: BlockHistory[] = [{ tag: this.base?.[lba] ?? 0, writing: undefined }];
    for (const writing of this.writings.values()) {
      if (lba < writing.lba || lba >= writing.lba + writing.blocks) continue;
      history.push({ tag: tagOf(writing), writing });
    }
    const last = history.findLastIndex(({ writing }) =>
      writing === undefined || (crash === "kill" ? writing.isAcknowledged : writing.isDurable)
    );
    return new Set(history.slice(last).map(({ tag }) => tag));
  }
}

/** Everything that was promised until a time. */
export class Ledger {
  readonly #luns = new Map<number, LunLedger>();
  readonly #flushes = new Map<number, readonly Writing[]>();
  readonly #reserving = new Map<number, Set<number>>();
  readonly #reservations = new Map<number, string>();
  /** States that later requests have led to, by the requests. */
  readonly #outcomes = new Map<number, string>();
  /** Writes that were erased. */
  readonly #erased = new Set<number>();
  #disks: Disks | undefined;

  /**
   * Takes the notes of a recording up to a time.
   *
   * @param later the notes after that time, which show the intended results of unfinished requests
   */
  constructor(notes: readonly Note[], later: readonly Note[] = []) {
    for (const note of later) if (note.kind === "reserved") this.#outcomes.set(note.id, note.state);
    for (const note of notes) this.#take(note);
  }

  /** Returns what an observation shows that is not as promised. */
  judge(crash: CrashKind, observation: Observation): string[] {
    return [
      ...observation.problems,
      ...this.#judgeDisks(observation),
      ...this.#judgeTraces(observation),
      ...[...observation.tags].flatMap(([lun, tags]) => this.#judgeBlocks(crash, lun, tags)),
      ...this.#judgeSanitize(observation),
      ...[...observation.reservations].flatMap(([lun, state]) => this.#judgeReservations(lun, state)),
    ];
  }

  /** Returns the atomic commands that are there in part, which after a power cut nothing promises. */
  tornBy(observation: Observation): number {
    return [...observation.tags].flatMap(([lun, tags]) => this.#tornIn(lun, tags)).length;
  }

  #take(note: Note): void {
    switch (note.kind) {
      case "conf":
        return;
      case "built":
        this.#disks = note.disks;
        return;
      case "writing": {
        const { id, lba, blocks, how, lun } = note;
        const writing = { id, lba, blocks, how, isAcknowledged: false, isDurable: false };
        this.#lun(lun).writings.set(id, writing);
        return;
      }
      case "written":
        for (const { writings } of this.#luns.values()) {
          const writing = writings.get(note.id);
          if (writing === undefined) continue;
          writing.isAcknowledged = true;
          if (writing.how === "durable" || writing.how === "erase") writing.isDurable = true;
        }
        return;
      case "flushing": {
        const { writings } = this.#lun(note.lun);
        this.#flushes.set(note.id, [...writings.values()].filter(({ isAcknowledged }) => isAcknowledged));
        return;
      }
      case "flushed":
        for (const writing of this.#flushes.get(note.id) ?? []) writing.isDurable = true;
        return;
      case "erased": {
        const ledger = this.#lun(note.lun);
        for (const id of ledger.writings.keys()) this.#erased.add(id);
        ledger.writings.clear();
        ledger.base = undefined;
        return;
      }
      case "seen":
        this.#lun(note.lun).base = note.tags;
        this.#lun(note.lun).writings.clear();
        return;
      case "seenUnsanitized":
        this.#lun(note.lun).isUnsanitized = true;
        return;
      case "reserving":
        if (note.leadsTo !== undefined) this.#outcomes.set(note.id, note.leadsTo);
        this.#reserving.set(note.lun, (this.#reserving.get(note.lun) ?? new Set()).add(note.id));
        return;
      case "reserved":
        this.#reserving.get(note.lun)?.delete(note.id);
        this.#reservations.set(note.lun, note.state);
        return;
      case "reservationsSeen":
        this.#reserving.get(note.lun)?.clear();
        this.#reservations.set(note.lun, note.state);
        return;
    }
  }

  #lun(lun: number): LunLedger {
    const known = this.#luns.get(lun);
    if (known !== undefined) return known;
    const made = new LunLedger();
    this.#luns.set(lun, made);
    return made;
  }

  #judgeDisks({ found, built }: Observation): string[] {
    return Object.entries(this.#disks ?? {}).flatMap(([path, { identity, sizeBytes }]) =>
      [found, built].filter((disks) => disks !== undefined).flatMap((disks) => {
        const disk = disks[path];
        const when = disks === found ? "after the crash" : 'after another "iscsi build"';
        if (disk === undefined) return [`disk "${path}" was built and is not there ${when}`];
        const isSame = disk.identity.naa === identity.naa &&
          disk.identity.serialNumber === identity.serialNumber;
        return [
          ...(isSame ? [] : [`disk "${path}" has another identity ${when}`]),
          ...(disk.sizeBytes >= sizeBytes
            ? []
            : [`disk "${path}" was built with ${sizeBytes} bytes and is shorter ${when}`]),
        ];
      })
    );
  }

  #judgeTraces({ traces }: Observation): string[] {
    const left = [...traces].filter((id) => this.#erased.has(id));
    return left.length === 0
      ? []
      : [`a file still has blocks of write ${left.join(", ")}, which were erased`];
  }

  #judgeSanitize({ tags, unsanitized }: Observation): string[] {
    const refusing = [...unsanitized].filter((lun) =>
      !this.#lun(lun).isSanitizing && !this.#lun(lun).isUnsanitized
    );
    const granting = [...tags.keys()].filter((lun) => this.#lun(lun).isUnsanitized);
    return [
      ...refusing.map((lun) => `LUN ${lun} refuses access although its SANITIZE has completed`),
      ...granting.map((lun) => `LUN ${lun} grants access although its SANITIZE did not complete`),
    ];
  }

  #judgeBlocks(crash: CrashKind, lun: number, tags: readonly number[]): string[] {
    const ledger = this.#lun(lun);
    const faults: string[] = [];
    for (const [lba, tag] of tags.entries()) {
      const allowed = ledger.allowedAt(lba, crash);
      if (allowed.has(tag)) continue;
      const what = tag === TORN ? "bytes that nobody wrote" : `write ${tag}`;
      faults.push(`LUN ${lun}, block ${lba} holds ${what} and not ${[...allowed].join(" or ")}`);
    }
    if (crash === "kill") {
      faults.push(...this.#tornIn(lun, tags).map((id) => `LUN ${lun}: atomic write ${id} is there in part`));
    }
    const [first] = faults;
    return first === undefined
      ? []
      : [faults.length === 1 ? first : `${first} (and ${faults.length - 1} more)`];
  }

  /** The atomic commands of which some blocks are there and others are still older. */
  #tornIn(lun: number, tags: readonly number[]): number[] {
    const writings = [...this.#lun(lun).writings.values()];
    return writings.filter(({ how, id, lba, blocks }, index) => {
      if (how !== "atomic") return false;
      const later = new Set(
        writings.slice(index + 1).map((writing) => tagOf(writing)),
      );
      const own = tags.slice(lba, lba + blocks).filter((tag) => !later.has(tag));
      return own.includes(id) && own.some((tag) => tag !== id);
    }).map(({ id }) => id);
  }

  #judgeReservations(lun: number, state: string): string[] {
    const acknowledged = this.#reservations.get(lun);
    if (acknowledged === undefined) return [];
    const underWay = [...this.#reserving.get(lun) ?? []].map((id) => this.#outcomes.get(id));
    const allowed = [acknowledged, ...underWay].filter((text) => text !== undefined);
    return allowed.includes(state)
      ? []
      : [`LUN ${lun}: reservations are ${state} and not ${allowed.join(" or ")}`];
  }
}

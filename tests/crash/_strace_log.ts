/**
 * Reads what strace has written of a program and of all that it started: `strace -f -y -xx` with the calls of `TRACED`.
 *
 * Of a file's position only what opens, seeks and writes is followed: a program that reads from a file and writes on
 * where it stopped is not understood. The product seeks before it writes.
 */
import { join, normalize } from "@std/path";
import { joinBytes } from "../support/initiator_text.ts";
import type { Change, Operation, Recording } from "./_operation.ts";

/** The calls that have to be traced. */
export const TRACED = [
  ..."openat,open,creat,close,dup,dup2,dup3,fcntl,lseek,write,pwrite64,writev,pwritev,pwritev2".split(","),
  ..."ftruncate,truncate,fallocate,copy_file_range,sendfile,splice".split(","),
  ..."rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat".split(","),
  ..."fsync,fdatasync,sync,syncfs,sync_file_range,clone,clone3,fork,vfork".split(","),
] as const;

/** A call that succeeded. */
interface Call {
  readonly process: string;
  readonly name: string;
  readonly args: readonly string[];
  readonly result: string;
  readonly start: number;
  readonly end: number;
}

/** An open file of a process, and of those that share it. */
interface Handle {
  readonly handle: number;
  position: number;
}

/**
 * Reads a log.
 *
 * @param root the folder that counts
 * @param notesPath a file whose lines are notes in JSON
 * @throws {Error} when a call changes the folder in a way that is not understood
 */
export function readStraceLog<Note>(log: string, root: string, notesPath: string): Recording<Note> {
  const reader = new LogReader<Note>(root, notesPath);
  const calls = callsOf(log);
  for (const call of calls) reader.take(call);
  const { operations, notes } = reader;
  return { operations, notes, end: 2 * log.split("\n").length };
}

/** Finds the calls of a log, in the order in which they ended. A line is two units of time: a call begins and ends. */
function callsOf(log: string): Call[] {
  const lines = log.split("\n");
  const processes = processesOf(lines);
  const begun = new Map<string, { readonly text: string; readonly start: number }>();
  const calls: Call[] = [];
  for (const [index, line] of lines.entries()) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (thread === undefined || rest === undefined) continue;
    const unfinished = /^(.*?) *<unfinished \.\.\.>$/.exec(rest);
    if (unfinished !== null) {
      const text = unfinished[1]!;
      begun.set(thread, { text, start: index });
      // The number is free for others before the call returns: it may be another file's by then.
      if (text.startsWith("close(")) {
        const process = processes.get(thread) ?? thread;
        calls.push({ ...parseCall(`${text}) = 0`)!, process, start: 2 * index, end: 2 * index + 1 });
      }
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const before = resumed === null ? undefined : begun.get(thread);
    const text = before === undefined ? rest : before.text + resumed![1];
    const call = parseCall(text);
    if (call === undefined || resumed !== null && call.name === "close") continue;
    const process = processes.get(thread) ?? thread;
    calls.push({ ...call, process, start: 2 * (before?.start ?? index), end: 2 * index + 1 });
  }
  return calls;
}

/** Finds the process of each thread. The lines of a thread may stand before the one in which it was made. */
function processesOf(lines: readonly string[]): ReadonlyMap<string, string> {
  const parents = new Map<string, string>();
  const flags = new Map<string, string>();
  for (const line of lines) {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (thread === undefined || !/clone/.test(rest!.slice(0, 20))) continue;
    if (rest!.includes("flags=")) flags.set(thread, rest!);
    const made = /= (\d+)(?:<[^>]*>)?$/.exec(rest!)?.[1];
    if (made !== undefined && flags.get(thread)?.includes("CLONE_THREAD") === true) parents.set(made, thread);
  }
  function processOf(thread: string): string {
    const parent = parents.get(thread);
    return parent === undefined ? thread : processOf(parent);
  }
  return new Map([...parents.keys()].map((thread) => [thread, processOf(thread)]));
}

/** Takes a call apart; undefined for one that failed, and for what is none. */
function parseCall(text: string): Pick<Call, "name" | "args" | "result"> | undefined {
  const match = /^(\w+)\((.*)\) += (\S+?)(?:<(.*)>)?(?: \(.*\))?$/s.exec(text);
  if (match === null) return undefined;
  const [, name, args, value, path] = match;
  if (value!.startsWith("-") || value === "?") return undefined;
  return {
    name: name!,
    args: splitArguments(args!),
    result: path === undefined ? value! : `${value}<${path}>`,
  };
}

/** Splits arguments at the commas between them. Strings are hexadecimal, so they contain no commas. */
function splitArguments(text: string): string[] {
  if (!/[[{]/.test(text)) return text.split(", ");
  const args: string[] = [];
  let depth = 0;
  let start = 0;
  for (const { 0: char, index } of text.matchAll(/[[{(\])},]/g)) {
    if ("[{(".includes(char)) depth++;
    if ("]})".includes(char)) depth--;
    if (char !== "," || depth > 0) continue;
    args.push(text.slice(start, index).trim());
    start = index + 1;
  }
  return [...args, text.slice(start).trim()];
}

/** Returns the bytes of a string such as "\x68\x69". */
function bytesOf(text: string): Uint8Array {
  return Uint8Array.fromHex(text.replace(/^"|"$/g, "").replaceAll("\\x", ""));
}

function textOf(text: string): string {
  return new TextDecoder().decode(bytesOf(text));
}

/** Quotes a text as strace does. */
function hexOf(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(
    "",
  );
}

/** Of `12</a/path>`: the number and the path. */
function descriptorOf(text: string): { readonly number: string; readonly path: string } {
  const [, number, path] = /^([\w-]+)(?:<(.*)>)?$/s.exec(text) ?? [];
  const isHex = path?.startsWith("\\x") === true;
  return { number: number ?? text, path: isHex ? textOf(path) : path ?? "" };
}

/** Resolves a path argument relative to the folder before it. */
function pathOf(folder: string, path: string): string {
  const text = textOf(path);
  return normalize(text.startsWith("/") ? text : join(descriptorOf(folder).path, text));
}

/** A change of names, with whole paths. */
interface Naming {
  readonly kind: "rename" | "addName" | "makeLink" | "makeFolder" | "remove";
  readonly path: string;
  readonly from?: string;
  readonly target?: string;
}

type Arguments = readonly string[];

/** The calls that change names. */
const NAMING: Readonly<Record<string, (args: Arguments) => Naming>> = {
  rename: ([from, path]) => ({ kind: "rename", from: pathOf("", from!), path: pathOf("", path!) }),
  renameat: (args) => ({ kind: "rename", ...twoPaths(args) }),
  renameat2: (args) => ({ kind: "rename", ...twoPaths(args) }),
  link: ([from, path]) => ({ kind: "addName", from: pathOf("", from!), path: pathOf("", path!) }),
  linkat: (args) => ({ kind: "addName", ...twoPaths(args) }),
  symlink: ([target, path]) => ({ kind: "makeLink", target: textOf(target!), path: pathOf("", path!) }),
  symlinkat: ([target, folder, path]) => ({
    kind: "makeLink",
    target: textOf(target!),
    path: pathOf(folder!, path!),
  }),
  mkdir: ([path]) => ({ kind: "makeFolder", path: pathOf("", path!) }),
  mkdirat: ([folder, path]) => ({ kind: "makeFolder", path: pathOf(folder!, path!) }),
  unlink: ([path]) => ({ kind: "remove", path: pathOf("", path!) }),
  rmdir: ([path]) => ({ kind: "remove", path: pathOf("", path!) }),
  unlinkat: ([folder, path]) => ({ kind: "remove", path: pathOf(folder!, path!) }),
};

function twoPaths(
  [fromFolder, from, folder, path]: Arguments,
): { readonly from: string; readonly path: string } {
  return { from: pathOf(fromFolder!, from!), path: pathOf(folder!, path!) };
}

/** TimeSlices calls into operations. */
class LogReader<Note> {
  readonly operations: Operation[] = [];
  readonly notes: { time: number; note: Note }[] = [];
  readonly #root: string;
  readonly #notesPath: string;
  /** By process and number. */
  readonly #handles = new Map<string, Handle>();
  #lastHandle = 0;

  constructor(root: string, notesPath: string) {
    this.#root = root;
    this.#notesPath = notesPath;
  }

  take(call: Call): void {
    const { name, args } = call;
    const naming = Object.hasOwn(NAMING, name) ? NAMING[name] : undefined;
    if (naming !== undefined) return this.#name(call, naming(args));
    switch (name) {
      case "open":
        return this.#open(call, args[1]!);
      case "creat":
        return this.#open(call, "O_CREAT|O_TRUNC");
      case "openat":
        return this.#open(call, args[2]!);
      case "close":
        return void this.#handles.delete(keyOf(call.process, args[0]!));
      case "dup":
      case "dup2":
      case "dup3":
        return this.#duplicate(call);
      case "fcntl":
        return args[1]!.startsWith("F_DUPFD") ? this.#duplicate(call) : undefined;
      case "lseek":
        return this.#on(call, (handle) => void (handle.position = Number(call.result)));
      default:
        return this.#change(call);
    }
  }

  /** Takes calls that change the content of an open file, or make it durable. */
  #change(call: Call): void {
    const { name, args, start, end, result } = call;
    const [, second = "", third = "", fourth = ""] = args;
    const push = (change: Change): void => void this.operations.push({ start, end, change });
    switch (name) {
      case "write":
        return this.#write(call, bytesOf(second));
      case "writev":
        return this.#write(call, vectorOf(second));
      case "pwrite64":
        return this.#write(call, bytesOf(second), Number(fourth));
      case "pwritev":
      case "pwritev2":
        return this.#write(call, vectorOf(second), Number(fourth));
      case "ftruncate":
        return this.#on(call, ({ handle }) => push({ kind: "resize", handle, sizeBytes: Number(second) }));
      case "fallocate":
        return this.#on(call, ({ handle }) => {
          if (!second.includes("FALLOC_FL_PUNCH_HOLE")) {
            throw new Error(`Not understood: ${name}(${args.join(", ")})`);
          }
          push({ kind: "punch", handle, offset: Number(third), lengthBytes: Number(fourth) });
        });
      case "fsync":
      case "fdatasync":
        return this.#on(call, ({ handle }) => push({ kind: "sync", handle }));
      case "sync":
      case "syncfs":
        return push({ kind: "syncAll" });
      case "truncate":
      case "copy_file_range":
      case "sendfile":
      case "splice":
      case "sync_file_range":
        if (args.some((arg) => arg.includes(hexOf(this.#root)))) {
          throw new Error(`Not understood: ${name}(${args.join(", ")}) = ${result}`);
        }
    }
  }

  #relative(path: string): string | undefined {
    if (path === this.#root) return "";
    return path.startsWith(`${this.#root}/`) ? path.slice(this.#root.length + 1) : undefined;
  }

  #name({ start, end }: Call, { kind, path, from, target }: Naming): void {
    const relative = this.#relative(path);
    if (relative === undefined) return;
    // What was renamed or linked may have been outside: then it is nothing that is known.
    const source = from === undefined ? "" : this.#relative(from) ?? `outside${from}`;
    const changes: Readonly<Record<Naming["kind"], Change>> = {
      rename: { kind: "rename", from: source, path: relative },
      addName: { kind: "addName", from: source, path: relative },
      makeLink: { kind: "makeLink", path: relative, target: target ?? "" },
      makeFolder: { kind: "makeFolder", path: relative },
      remove: { kind: "remove", path: relative },
    };
    this.operations.push({ start, end, change: changes[kind] });
  }

  #open({ process, result, start, end }: Call, flags: string): void {
    const { number, path } = descriptorOf(result);
    const key = keyOf(process, number);
    this.#handles.delete(key);
    const relative = this.#relative(path);
    if (relative === undefined) return;
    if (flags.includes("O_APPEND")) throw new Error(`Not understood: "${path}" is opened to append`);
    const handle = ++this.#lastHandle;
    this.#handles.set(key, { handle, position: 0 });
    const [creates, truncates] = [flags.includes("O_CREAT"), flags.includes("O_TRUNC")];
    this.operations.push({
      start,
      end,
      change: { kind: "open", handle, path: relative, creates, truncates },
    });
  }

  #duplicate({ process, args, result }: Call): void {
    const handle = this.#handles.get(keyOf(process, args[0]!));
    const key = keyOf(process, result);
    if (handle === undefined) this.#handles.delete(key);
    else this.#handles.set(key, handle);
  }

  #write(call: Call, bytes: Uint8Array, at?: number): void {
    const { path } = descriptorOf(call.args[0]!);
    const count = Number(call.result);
    if (path === this.#notesPath) return this.#takeNotes(call, bytes.subarray(0, count));
    this.#on(call, (handle) => {
      const change: Change = {
        kind: "write",
        handle: handle.handle,
        offset: at ?? handle.position,
        bytes: bytes.subarray(0, count),
      };
      this.operations.push({ start: call.start, end: call.end, change });
      if (at === undefined) handle.position += count;
    });
  }

  #takeNotes({ start }: Call, bytes: Uint8Array): void {
    for (const line of new TextDecoder().decode(bytes).trimEnd().split("\n")) {
      this.notes.push({ time: start, note: JSON.parse(line) as Note });
    }
  }

  /** Does something with the file that a call is about, if it lies in the folder. */
  #on(call: Call, work: (handle: Handle) => void): void {
    const { number, path } = descriptorOf(call.args[0]!);
    if (this.#relative(path.replace(/ \(deleted\)$/, "")) === undefined) return;
    const handle = this.#handles.get(keyOf(call.process, number));
    if (handle === undefined) {
      throw new Error(`Not understood: ${call.name} of "${path}", which nobody opened`);
    }
    work(handle);
  }
}

function keyOf(process: string, descriptor: string): string {
  return `${process} ${descriptorOf(descriptor).number}`;
}

/** Returns the bytes of an array of buffers: [{iov_base="\x68", iov_len=1}, ...]. */
function vectorOf(text: string): Uint8Array {
  return joinBytes([...text.matchAll(/iov_base=("[^"]*")/g)].map(([, part]) => bytesOf(part!)));
}

import { assertEquals } from "@std/assert";
import { Disk, type Tree } from "./_disk.ts";
import { PAGE_BYTES } from "./_inode.ts";
import type { Change } from "./_operation.ts";

/** Applies changes one after the other. */
function diskAfter(...changes: readonly Change[]): Disk {
  const disk = new Disk();
  for (const [index, change] of changes.entries()) {
    disk.apply({ start: 2 * index, end: 2 * index + 1, change });
  }
  return disk;
}

/** Returns the entries of a tree in readable form: text up to the first zero, and the size. */
function show(tree: Tree): string[] {
  return [...tree].map(([path, entry]) => {
    if (entry.kind !== "file") return `${path} ${entry.kind}`;
    const text = [...entry.image.pages].sort(([a], [b]) => a - b)
      .map(([page, bytes]) => `${page}:${new TextDecoder().decode(bytes).replace(/\0.*$/s, "")}`).join(" ");
    return `${path} ${entry.image.sizeBytes} ${text}`.trimEnd();
  });
}

const HELLO = new TextEncoder().encode("hello");

function lose(): boolean {
  return false;
}

function open(handle: number, path: string, creates = false, truncates = false): Change {
  return { kind: "open", handle, path, creates, truncates };
}

function write(handle: number, offset = 0, bytes: Uint8Array = HELLO): Change {
  return { kind: "write", handle, offset, bytes };
}

function sync(handle: number): Change {
  return { kind: "sync", handle };
}

Deno.test("Disk loses a file whose folder was not synced, although the file was", () => {
  const disk = diskAfter(open(1, "a", true), write(1), sync(1));
  assertEquals(show(disk.tree()), ["a 5 0:hello"]);
  assertEquals(show(disk.treeWith(lose)), []);
});

Deno.test("Disk keeps a name that was synced, and loses content that was not", () => {
  const disk = diskAfter(open(1, "a", true), open(2, ""), sync(2), write(1));
  assertEquals(show(disk.treeWith(lose)), ["a 0"]);
});

Deno.test("Disk makes durable what was done before a sync began, and not what was done meanwhile", () => {
  const disk = diskAfter(open(1, "a", true), open(2, ""), sync(2), write(1));
  disk.apply({ start: 11, end: 12, change: write(1, PAGE_BYTES) });
  disk.apply({ start: 10, end: 13, change: sync(1) });
  assertEquals(show(disk.tree()), [`a ${PAGE_BYTES + 5} 0:hello 1:hello`]);
  assertEquals(show(disk.treeWith(lose)), ["a 5 0:hello"]);
});

Deno.test("Disk loses or keeps each page, each size and each name by itself", () => {
  const disk = diskAfter(open(1, "a", true), write(1, PAGE_BYTES - 5, new Uint8Array(10).fill(0x78)));
  const kinds = disk.units().map(({ kind }) => kind);
  assertEquals(kinds.toSorted(), ["names", "page", "page", "size"]);
  assertEquals(show(disk.treeWith(({ kind }) => kind !== "page")), [`a ${PAGE_BYTES + 5}`]);
  assertEquals(show(disk.treeWith(({ kind }) => kind !== "size")), ["a 0 0: 1:xxxxx"]);
});

Deno.test("Disk keeps a rename as a whole or not at all", () => {
  const changes = [
    open(1, "a", true),
    write(1),
    sync(1),
    open(2, "b.new", true),
    sync(2),
    open(3, ""),
    sync(3),
  ];
  const disk = diskAfter(...changes, { kind: "rename", from: "b.new", path: "a" });
  assertEquals(show(disk.tree()), ["a 0"]);
  assertEquals(show(disk.treeWith(lose)), ["a 5 0:hello", "b.new 0"]);
  assertEquals(disk.units().length, 1);
});

Deno.test("Disk follows an open file under its new name", () => {
  const disk = diskAfter(open(1, "a", true), { kind: "rename", from: "a", path: "b" }, write(1));
  assertEquals(show(disk.tree()), ["b 5 0:hello"]);
});

Deno.test("Disk shows zeros where a file was cut off and is longer again", () => {
  const long = new Uint8Array(2 * PAGE_BYTES).fill(0x78);
  const disk = diskAfter(
    open(1, "a", true),
    write(1, 0, long),
    { kind: "resize", handle: 1, sizeBytes: 3 },
    { kind: "resize", handle: 1, sizeBytes: PAGE_BYTES },
  );
  assertEquals(show(disk.tree()), [`a ${PAGE_BYTES} 0:xxx`]);
});

Deno.test("Disk makes holes that a power cut may lose", () => {
  const changes = [open(1, "a", true), write(1), sync(1), open(2, ""), sync(2)];
  const disk = diskAfter(...changes, { kind: "punch", handle: 1, offset: 0, lengthBytes: PAGE_BYTES });
  assertEquals(show(disk.tree()), ["a 5"]);
  assertEquals(show(disk.treeWith(lose)), ["a 5 0:hello"]);
});

Deno.test("Disk has folders, links, further names and removals", () => {
  const disk = diskAfter(
    { kind: "makeFolder", path: "f" },
    open(1, "f/a", true),
    write(1),
    { kind: "makeLink", path: "f/l", target: "a" },
    { kind: "addName", from: "f/a", path: "f/b" },
    { kind: "remove", path: "f/a" },
  );
  assertEquals(show(disk.tree()), ["f folder", "f/b 5 0:hello", "f/l link"]);
  disk.apply({ start: 100, end: 101, change: { kind: "syncAll" } });
  assertEquals(show(disk.treeWith(lose)), show(disk.tree()));
});

Deno.test("Disk.fork() goes on by itself, and what was not durable still is not", () => {
  const disk = diskAfter(open(1, "a", true), write(1));
  const fork = disk.fork();
  assertEquals(show(fork.treeWith(lose)), []);
  for (const change of [open(1, "a"), sync(1), open(2, ""), sync(2)]) {
    fork.apply({ start: 0, end: 1, change });
  }
  assertEquals(show(fork.treeWith(lose)), ["a 5 0:hello"]);
  assertEquals(show(disk.treeWith(lose)), []);
});

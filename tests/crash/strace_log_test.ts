import { assertEquals, assertThrows } from "@std/assert";
import { describeChange } from "./_operation.ts";
import { readStraceLog } from "./_strace_log.ts";

/** Quotes a text as strace does. */
function hex(text: string): string {
  return [...new TextEncoder().encode(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(
    "",
  );
}

/** Writes texts in quotes, and paths in angle brackets, as strace does. */
function logOf(...lines: readonly string[]): string {
  return lines.map((line) =>
    line.replace(/"([^"]*)"/g, (_, text) => `"${hex(text)}"`).replace(
      /<(\/[^>]*)>/g,
      (_, path) => `<${hex(path)}>`,
    )
  ).join("\n");
}

function read(...lines: readonly string[]): string[] {
  return readStraceLog(logOf(...lines), "/root", "/notes").operations
    .map(({ start, end, change }) => `${start}-${end} ${describeChange(change)}`);
}

Deno.test("readStraceLog() reads what is done to files of the folder, by position or at an offset", () => {
  assertEquals(
    read(
      `7 openat(AT_FDCWD</cwd>, "/root/a", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 5</root/a>`,
      `7 write(5</root/a>, "hello", 5) = 5`,
      `7 write(5</root/a>, "more", 4) = 2`,
      `7 lseek(5</root/a>, 100, SEEK_SET) = 100`,
      `7 writev(5</root/a>, [{iov_base="ab", iov_len=2}, {iov_base="c", iov_len=1}], 2) = 3`,
      `7 pwrite64(5</root/a>, "xy", 2, 4096) = 2`,
      `7 ftruncate(5</root/a>, 10) = 0`,
      `7 fallocate(5</root/a>, FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE, 0, 4096) = 0`,
      `7 fdatasync(5</root/a>) = 0`,
    ),
    [
      `0-1 open "a", create`,
      "2-3 write 5 bytes at 0 of handle 1",
      "4-5 write 2 bytes at 5 of handle 1",
      "8-9 write 3 bytes at 100 of handle 1",
      "10-11 write 2 bytes at 4096 of handle 1",
      "12-13 resize handle 1 to 10",
      "14-15 punch 4096 bytes at 0 of handle 1",
      "16-17 sync handle 1",
    ],
  );
});

Deno.test("readStraceLog() reads changes of names", () => {
  assertEquals(
    read(
      `7 mkdir("/root/f", 0700) = 0`,
      `7 rename("/root/a.new", "/root/a") = 0`,
      `7 renameat2(AT_FDCWD</root>, "b", AT_FDCWD</root>, "f/b", RENAME_NOREPLACE) = 0`,
      `7 symlink("/elsewhere", "/root/l") = 0`,
      `7 unlinkat(9</root/f>, "b", 0) = 0`,
      `7 linkat(AT_FDCWD</cwd>, "/root/a", AT_FDCWD</cwd>, "/root/c", 0) = 0`,
    ),
    [
      `0-1 makeFolder "f"`,
      `2-3 rename "a.new" to "a"`,
      `4-5 rename "b" to "f/b"`,
      `6-7 link "l" to "/elsewhere"`,
      `8-9 remove "f/b"`,
      `10-11 addName "a" to "c"`,
    ],
  );
});

Deno.test("readStraceLog() leaves out what failed and what is elsewhere", () => {
  assertEquals(
    read(
      `7 openat(AT_FDCWD</cwd>, "/root/a", O_RDONLY) = -1 ENOENT (No such file or directory)`,
      `7 openat(AT_FDCWD</cwd>, "/rooted", O_RDWR|O_CREAT, 0600) = 5</rooted>`,
      `7 write(5</rooted>, "hello", 5) = 5`,
      `7 write(1<pipe:[12]>, "hello", 5) = 5`,
      `7 mkdir("/root/f", 0700) = -1 EEXIST (File exists)`,
      `7 +++ exited with 0 +++`,
      `8 --- SIGCHLD {si_signo=SIGCHLD} ---`,
    ),
    [],
  );
});

Deno.test("readStraceLog() joins calls that others interrupt, of threads that share their files", () => {
  assertEquals(
    read(
      `8 openat(AT_FDCWD</cwd>, "/root/a", O_RDWR) = 5</root/a>`,
      `7 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, exit_signal=0}, 88 <unfinished ...>`,
      `7 <... clone3 resumed> => {parent_tid=[8]}, 88) = 8`,
      `7 fcntl(5</root/a>, F_DUPFD_CLOEXEC, 3) = 6</root/a>`,
      `7 write(5</root/a>, "12345", 5 <unfinished ...>`,
      `8 fsync(6</root/a> <unfinished ...>`,
      `7 <... write resumed>) = 5`,
      `8 <... fsync resumed>) = 0`,
      `8 write(6</root/a>, "6", 1) = 1`,
    ),
    [
      `0-1 open "a"`,
      "8-13 write 5 bytes at 0 of handle 1",
      "10-15 sync handle 1",
      "16-17 write 1 bytes at 5 of handle 1",
    ],
  );
});

Deno.test("readStraceLog() knows that the number of a file is free before its close returns", () => {
  assertEquals(
    read(
      `7 clone3({flags=CLONE_VM|CLONE_FILES|CLONE_THREAD, exit_signal=0}, 88) = 8`,
      `7 openat(AT_FDCWD</cwd>, "/root/a", O_RDWR) = 5</root/a>`,
      `7 close(5</root/a> <unfinished ...>`,
      `8 openat(AT_FDCWD</cwd>, "/root/b", O_RDWR) = 5</root/b>`,
      `7 <... close resumed>) = 0`,
      `8 fsync(5</root/b>) = 0`,
    ),
    [`2-3 open "a"`, `6-7 open "b"`, "10-11 sync handle 2"],
  );
});

Deno.test("readStraceLog() finds notes among the calls", () => {
  const log = logOf(`7 mkdir("/root/f", 0700) = 0`, `7 write(4</notes>, "{'a':1}\n{'a':2}\n", 16) = 16`)
    .replaceAll(hex("'"), hex('"'));
  const { notes } = readStraceLog<unknown>(log, "/root", "/notes");
  assertEquals(notes, [{ time: 2, note: { a: 1 } }, { time: 2, note: { a: 2 } }]);
});

Deno.test("readStraceLog() refuses what it does not understand", () => {
  const lines = [
    `7 write(5</root/a>, "hello", 5) = 5`,
    `7 truncate("/root/a", 0) = 0`,
    `7 copy_file_range(5</root/a>, NULL, 6</root/b>, NULL, 5, 0) = 5`,
    `7 openat(AT_FDCWD</cwd>, "/root/a", O_WRONLY|O_APPEND) = 5</root/a>`,
  ];
  for (const line of lines) assertThrows(() => read(line), Error, "Not understood");
});

import type { ByteRange } from "../store/byte_range.ts";
import type { HelperGuard } from "./helper_guard.ts";
import { describeMissing, FLOCK_CONFLICT_CODE } from "./run_helper.ts";

/** The options of `fallocate` that make a hole, without the range. */
export const PUNCH_OPTIONS = ["--punch-hole", "--keep-size"] as const;

/**
 * The beginning of each script. It ignores the signals of an orderly shutdown, so the shutdown waits for holes.
 *
 * A request is two lines: the number of the request with offset and length of each hole, and the path of the file, any
 * bytes but a line feed. The answer is one line: the number of the request, the exit status, and the first line of the
 * error message.
 *
 * A program gets the shell's standard error as its standard input, which it does not read. So that pipe closes only
 * when both the shell and its program have ended, even if the shell is killed first. The script opens no descriptors,
 * because any number may be the lock's.
 */
const READ_REQUEST = `
trap "" HUP INT TERM
end='
'
while IFS=" " read -r number ranges && IFS= read -r file; do
`;
const ANSWER = `
  printf "%s %s %s\\n" "$number" "$status" "\${message%%"$end"*}" || exit
done
`;

/** Runs a program for each hole, up to the first fault. */
const ONE_BY_ONE = `
  set -- $ranges
  while [ "$#" -gt 0 ]; do
    message=$(punch --offset "$1" --length "$2" "$file" <&2 2>&1 >/dev/null)
    status=$?
    [ "$status" -eq 0 ] || break
    shift 2
  done
`;

/**
 * Runs one program for all holes. The ranges consist of digits, so evaluating them is safe. Old versions of `xfs_io`
 * end with 0 after a fault that they print.
 */
const ALL_AT_ONCE = `
  message=$(eval "exec xfs_io $(printf ' -c "fpunch %s %s"' $ranges) \\"\\$file\\"" <&2 2>&1 >/dev/null)
  status=$?
  if [ "$status" -eq 0 ] && [ -n "$message" ]; then status=1; fi
`;

/**
 * A program of Perl that prints the number of fallocate(2), for which Perl has no name; nothing for a Perl of another
 * kind of machine, or of 32 bits, for which the number means something else.
 */
const PERL_NUMBER = String.raw`
  my %numbers = (x86_64 => 285, aarch64 => 47);
  my $is64 = $Config{ivsize} == 8 && $Config{longsize} == 8;
  print $numbers{$1} if $is64 && $Config{archname} =~ /^(x86_64|aarch64)-linux/;
`;

/**
 * A program of Perl that answers requests instead of the shell, up to the first fault of each. A request that was cut
 * off is not begun.
 */
const PERL = String.raw`
  $| = 1;
  my $number = shift;
  while (defined(my $line = <STDIN>) && defined(my $file = <STDIN>)) {
    last unless chomp $line && chomp $file;
    my ($request, @ranges) = split " ", $line;
    my $fault = open(my $disk, "+<", $file) ? "" : "fallocate: cannot open $file: $!";
    while ($fault eq "" && @ranges) {
      my ($offset, $length) = map { $_ + 0 } splice @ranges, 0, 2;
      $fault = "fallocate: fallocate failed: $!" if syscall($number, fileno $disk, 3, $offset, $length) != 0;
    }
    print $request, $fault eq "" ? " 0 " : " 1 ", $fault =~ /^(.*)/, "\n";
  }
`;

/** The scripts of the programs. The argument of the shell is the program of Perl. */
const SCRIPTS = {
  /**
   * Makes holes in files, by the first of these: one program of Perl for all requests, one of xfs_io for each request,
   * one of fallocate for each hole.
   */
  fallocate: `
trap "" HUP INT TERM
number=$(perl -MConfig -e '${PERL_NUMBER}' 2>/dev/null)
if [ -n "$number" ]; then exec perl -e "$1" "$number"; fi
if command -v xfs_io >/dev/null; then ${READ_REQUEST}${ALL_AT_ONCE}${ANSWER} exit; fi
punch() { exec fallocate ${PUNCH_OPTIONS.join(" ")} "$@"; }
${READ_REQUEST}${ONE_BY_ONE}${ANSWER}`,
  /** For devices only. The content of the range is not known afterwards. The program may be in a folder for root. */
  blkdiscard: `
PATH=$PATH:/usr/sbin:/sbin
punch() { exec blkdiscard --force "$@"; }
${READ_REQUEST}${ONE_BY_ONE}${ANSWER}`,
} as const;

/** The name of a program that gives space back. */
export type HoleProgram = keyof typeof SCRIPTS;

/** The shell's exit status for a program that it does not find, and the first one for a signal that killed it. */
const NOT_FOUND_STATUS = 127;
const SIGNAL_STATUS_MIN = 128;

/** The programs for people. Which one makes holes depends on those that the shell found. */
const NAMES: Readonly<Record<HoleProgram, string>> = {
  fallocate: "the program that makes holes",
  blkdiscard: '"blkdiscard"',
};

/** The longest answer, and the most that is kept of standard error. */
const ANSWER_BYTES_MAX = 16 * 1024;
const STDERR_LENGTH_MAX = 1024;

/**
 * The most bytes of output that are read at once: most answers. A reader that does not say takes memory for 64 KiB each
 * time, which delays a small hole.
 */
const READ_BYTES = 1024;

type Process = ReturnType<HelperGuard["startShell"]>;

/**
 * A shell that makes holes, one request after the other, under the lock of a run of the server. Starting a program
 * takes Deno milliseconds, and memory that it releases late; it takes a shell one millisecond, and a program that makes
 * many holes takes a tenth of that for each.
 */
export class HoleShell {
  readonly program: HoleProgram;
  readonly #process: Process;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: ReadableStreamBYOBReader;
  /** Resolves to the reason when the shell and its program have ended. */
  readonly #over: Promise<string>;
  #isOver = false;
  #lastNumber = 0;

  /** @throws {ProvisionError} when it cannot be started */
  constructor(guard: Pick<HelperGuard, "startShell">, program: HoleProgram = "fallocate") {
    this.program = program;
    this.#process = guard.startShell(SCRIPTS[program], [PERL]);
    this.#requests = this.#process.stdin.getWriter();
    this.#answers = this.#process.stdout.getReader({ mode: "byob" });
    this.#over = this.#untilOver();
  }

  /** The shell has ended, and makes no more holes. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /**
   * Makes holes, or returns the fault when nothing of it is in progress; some of the holes may have been made then. The
   * previous request must be complete. `path` is absolute.
   */
  async punch(path: string, ranges: readonly ByteRange[]): Promise<string | undefined> {
    if (path.includes("\n")) return `its path contains a line feed: ${JSON.stringify(path)}`;
    const number = ++this.#lastNumber;
    const numbers = ranges.flatMap(({ offset, lengthBytes }) => [offset, lengthBytes]);
    const request = new TextEncoder().encode(`${[number, ...numbers].join(" ")}\n${path}\n`);
    // A failed write means that the shell has ended, and then there is no answer either.
    await this.#requests.write(request).catch(() => {});
    const line = await this.#readLine();
    if (line === undefined) return await this.#over;
    const [, answered, status, message] = /^(\d+) (\d+) ([^\n]*)\n$/.exec(line) ?? [];
    if (Number(answered) === number) return faultOf(this.program, Number(status), message!);
    // Closing its input may not end it.
    kill(this.#process);
    await this.#over;
    return `unexpected output of ${NAMES[this.program]}: ${JSON.stringify(line)}`;
  }

  /** Ends the shell, and resolves when it and its program have ended. */
  async end(): Promise<void> {
    await this.#requests.close().catch(() => {});
    await this.#over;
  }

  /** Reads a line of output; undefined when the shell has ended. */
  async #readLine(): Promise<string | undefined> {
    const decoder = new TextDecoder();
    let line = "";
    while (!line.endsWith("\n") && line.length < ANSWER_BYTES_MAX) {
      const { done, value } = await this.#answers.read(new Uint8Array(READ_BYTES));
      if (done) return undefined;
      line += decoder.decode(value, { stream: true });
    }
    return line;
  }

  async #untilOver(): Promise<string> {
    let stderr = "";
    for await (const text of this.#process.stderr.pipeThrough(new TextDecoderStream())) {
      stderr = (stderr + text).slice(0, STDERR_LENGTH_MAX);
    }
    const { code, signal } = await this.#process.status;
    this.#isOver = true;
    await this.#requests.close().catch(() => {});
    await this.#answers.cancel();
    if (code === FLOCK_CONFLICT_CODE) {
      return "another server has locked out the programs of this one";
    }
    return signal !== null || stderr === "" ? `${NAMES[this.program]} was killed` : stderr.trimEnd();
  }
}

function kill(process: Process): void {
  try {
    process.kill("SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** Describes the failure of a program; undefined when it succeeded. */
function faultOf(program: HoleProgram, status: number, message: string): string | undefined {
  if (status === 0) return undefined;
  if (status === NOT_FOUND_STATUS) return describeMissing(program);
  if (status >= SIGNAL_STATUS_MIN) return `${NAMES[program]} was killed`;
  return message === "" ? `${NAMES[program]} ended with exit status ${status}` : message;
}

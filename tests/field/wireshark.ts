/** A scenario of Wireshark, which reads what initiators and this target say to each other. */
import { assertEquals } from "@std/assert";
import { withTimeLimit } from "../support/initiator_connection.ts";
import { runTool, runToolOk } from "../support/tools.ts";
import { image } from "./qemu.ts";
import { CannotRun, type Context, type Scenario } from "./scenario.ts";

const CONF = `
networks = 127.0.0.0/8
[disk]
size = 16MB 16MB
`;

/** Suites of libiscsi's test program that move little data. */
const SUITES = [
  ...["Inquiry", "ModeSense6", "ReportSupportedOpcodes", "PrinReadKeys", "PrinReportCapabilities"],
  ...[
    "ProutReserve.Simple",
    "ReadCapacity10",
    "GetLBAStatus.Simple",
    "Unmap.ZeroBlocks",
    "Read16.ZeroBlocks",
  ],
  ...["Write10.ZeroBlocks", "Reserve6.LUNReset", "ReceiveCopyResults", "ExtendedCopy"],
].map((suite) => `SCSI.${suite}`).concat("iSCSI.iSCSITMF", "iSCSI.iSCSIResiduals.Write10Residuals");

/** The opcodes of this target's PDUs that the capture must have (RFC 7143, 11.2.1.2). */
const OPCODES = ["0x21", "0x22", "0x23", "0x24", "0x25", "0x26", "0x31"];

/** Longest until dumpcap captures, and until it has written the rest. */
const CAPTURE_LIMIT_MS = 15_000;

/** A capture of what a port on loopback says. */
class Capture implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #stderr: ReadableStreamDefaultReader<string>;

  private constructor(port: number, path: string) {
    const filter = ["-i", "lo", "-f", `tcp port ${port}`, "-B", "64", "-w", path];
    this.#child = new Deno.Command("dumpcap", { args: filter, stdout: "null", stderr: "piped" }).spawn();
    this.#stderr = this.#child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Starts a capture and waits until it has begun. */
  static async start(port: number, path: string): Promise<Capture> {
    const capture = new Capture(port, path);
    let text = "";
    while (!text.includes("File: ")) {
      const { value } = await withTimeLimit(capture.#stderr.read(), CAPTURE_LIMIT_MS, "capture packets");
      if (value === undefined) throw new CannotRun(`dumpcap captures nothing, run as root: ${text.trim()}`);
      text += value;
    }
    return capture;
  }

  /** Ends the capture, which then is in its file. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGINT");
    const isEnded = withTimeLimit(this.#child.status, CAPTURE_LIMIT_MS, "see dumpcap end");
    await isEnded.catch(() => this.#child.kill("SIGKILL"));
    await this.#stderr.cancel();
    await this.#child.status;
  }
}

/** Makes initiators do as much as they can in little time. */
async function exercise(context: Context, path: string): Promise<number> {
  const appliance = context.appliance(CONF);
  await context.serve(appliance);
  await using _capture = await Capture.start(appliance.port, path);
  const lun = appliance.lunUrl(1, "iqn.2002-08.info.netmanager:disk");
  await runToolOk("iscsi-ls", ["-s", appliance.portalUrl]);
  await runToolOk("iscsi-readcapacity16", [lun]);
  for (const page of [0, 128, 131, 176, 177, 178]) {
    await runToolOk("iscsi-inq", ["-e", "1", "-c", String(page), lun]);
  }
  const disk = image(appliance, "disk", "file.header-digest=crc32c");
  await runToolOk("qemu-io", ["--image-opts", disk, "-c", "write 4k 300k", "-c", "read 4k 300k"]);
  // Whether its tests pass is shown elsewhere.
  for (const suite of SUITES) await runTool("iscsi-test-cu", ["-d", "-n", "-s", `--test=${suite}`, lun]);
  return appliance.port;
}

/** Runs tshark on the capture and returns its lines. */
type Tshark = (...args: readonly string[]) => Promise<string[]>;

/**
 * Returns the PDUs of the target that tshark cannot decode. An initiator that asks for the first bytes of a page gets
 * these; tshark reports the rest as missing, so such a response is none of them.
 */
async function findMalformed(tshark: Tshark, port: number): Promise<string[]> {
  const fields = ["frame.number", "iscsi.initiatortasktag", "iscsi.scsicommand.expecteddatatransferlength"]
    .concat(
      ["iscsi.datasegmentlength", "_ws.malformed", "tcp.srcport"],
    ).flatMap((field) => ["-e", field]);
  const rows = await tshark("-Y", "iscsi", "-T", "fields", "-E", "occurrence=f", ...fields);
  const expectedLengths = new Map<string, number>();
  const malformed: string[] = [];
  for (const row of rows) {
    const [frame, tag = "", expectedLength, length, isMalformed, source] = row.split("\t");
    if (source !== String(port)) expectedLengths.set(tag, Number(expectedLength));
    else if (isMalformed !== "" && Number(length) !== expectedLengths.get(tag)) {
      malformed.push(`frame ${frame}`);
    }
  }
  return malformed;
}

/** The scenario of Wireshark. */
export const WIRESHARK: readonly Scenario[] = [{
  name: "wireshark-reads",
  proves: "Wireshark finds no PDU of this target malformed, and every header digest right",
  needs: [
    "tshark",
    "qemu-io",
    "block-iscsi.so",
    "iscsi-ls",
    "iscsi-inq",
    "iscsi-readcapacity16",
    "iscsi-test-cu",
  ],
  limitSeconds: 120,
  run: async (context) => {
    const path = `${context.folder}/capture.pcapng`;
    const port = await exercise(context, path);
    const tshark: Tshark = async (...args) => {
      const output = await runToolOk("tshark", ["-2", "-r", path, "-d", `tcp.port==${port},iscsi`, ...args]);
      return output.split("\n").filter((line) => line !== "");
    };
    assertEquals(await tshark("-Y", "tcp.analysis.lost_segment"), [], "the capture is incomplete");
    const opcodes = await tshark("-Y", `iscsi && tcp.srcport==${port}`, "-T", "fields", "-e", "iscsi.opcode");
    const seen = new Set(opcodes.flatMap((line) => line.split(",")));
    assertEquals(OPCODES.filter((opcode) => !seen.has(opcode)), []);
    assertEquals(await findMalformed(tshark, port), []);
    const digests = (await tshark("-Y", "iscsi.headerdigest32", "-V")).filter((line) => /CRC32\)/.test(line));
    assertEquals(digests.filter((line) => !line.includes("Good CRC32")), []);
    assertEquals(digests.length > 20, true, `${digests.length} digests`);
  },
}];

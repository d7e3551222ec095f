/**
 * Initiators of other languages, as they were seen on the wire against this target: their keys in their order, and
 * their oddities. They cannot be installed from Debian or npm, so this project's initiator does as they do.
 */
import { assertEquals } from "@std/assert";
import type { ChapConfig } from "../../lib/config/chap.ts";
import { Secret } from "../../lib/config/secret.ts";
import { pattern } from "../support/content.ts";
import { numbered } from "../support/exchanges.ts";
import { type Harness, nameOf, withHarness } from "../support/harness.ts";
import { read10, testUnitReady, write10, write16 } from "../support/initiator_cdb.ts";
import { answerChallenge } from "../support/initiator_chap.ts";
import type { Initiator } from "../support/initiator.ts";
import { Stage } from "../support/initiator_login.ts";
import { NO_TAG, Opcode, type Pdu } from "../support/initiator_pdu.ts";
import {
  Attribute,
  dataOut,
  loginRequest,
  type LoginRequestOptions,
  LogoutReason,
  logoutRequest,
  scsiCommand,
  TaskManagement,
  taskManagementRequest,
  textRequest,
} from "../support/initiator_request.ts";
import { ScsiStatus } from "../support/initiator_sense.ts";
import { decodeText, encodeText, type TextPairs } from "../support/initiator_text.ts";
import { MemoryStore } from "../support/memory_store.ts";

/** Stores of LUNs 0 and 1. */
function twoStores(): MemoryStore[] {
  return [0, 1].map(() => new MemoryStore({ sizeBytes: 1024 * 1024 }));
}

const CREDENTIALS = { name: "habit", secret: "secret-of-habit" } as const;

/** The configuration of a target that asks for CHAP. */
function chapConfig(): ChapConfig {
  const secret = new Secret(new TextEncoder().encode(CREDENTIALS.secret));
  return {
    accounts: new Map([[CREDENTIALS.name, { ...CREDENTIALS, secret, initiators: [] }]]),
    mutual: undefined,
  };
}

/** Returns lines of `key=value` as pairs. */
function pairsOf(lines: string): TextPairs {
  return lines.trim().split("\n").map((line) => {
    const [key, ...value] = line.trim().split("=");
    return [key!, value.join("=")] as const;
  });
}

/** The operational keys of uiscsi. */
const UISCSI_KEYS = `
  HeaderDigest=None
  DataDigest=None
  MaxConnections=1
  InitialR2T=Yes
  ImmediateData=Yes
  MaxRecvDataSegmentLength=8192
  MaxBurstLength=262144
  FirstBurstLength=65536
  DefaultTime2Wait=2
  DefaultTime2Retain=20
  MaxOutstandingR2T=1
  DataPDUInOrder=Yes
  DataSequenceInOrder=Yes
  ErrorRecoveryLevel=0
`;

/** The fields of a Login Request that an initiator chooses. */
type Step = Partial<LoginRequestOptions> & { readonly pairs: TextPairs };

/** Sends a Login Request, which must succeed, and returns the response and its keys. */
async function step(
  initiator: Initiator,
  { pairs, ...fields }: Step,
): Promise<{ pdu: Pdu; keys: TextPairs }> {
  const request = {
    isTransit: true,
    currentStage: Stage.security,
    nextStage: Stage.operational,
    isid: Uint8Array.of(0x40, 0, 0, 0x11, 0x22, 0x33),
    initiatorTaskTag: 0,
    cmdSn: initiator.nextCmdSn,
    expStatSn: initiator.expStatSn,
    text: encodeText(pairs),
    ...fields,
  };
  await initiator.send(loginRequest(request));
  const pdu = await initiator.receive();
  assertEquals(
    [pdu.opcode, pdu.statusClass, pdu.statusDetail, pdu.initiatorTaskTag],
    [Opcode.loginResponse, 0, 0, request.initiatorTaskTag],
  );
  return { pdu, keys: decodeText(pdu.data) };
}

/** A command of an initiator that has its own way with tags and LUNs. */
interface OddCommand {
  readonly cdb: Uint8Array;
  readonly tag: number;
  readonly lun: number;
  readonly attribute?: number;
  readonly readBytes?: number;
  readonly written?: Uint8Array;
  /** The LUN in Data-Out PDUs. */
  readonly dataLun?: number;
}

/** Sends a command, and the data that R2Ts ask for in one PDU each; returns the PDU with the status. */
async function perform(initiator: Initiator, command: OddCommand): Promise<Pdu> {
  const { tag, lun, cdb, written, readBytes = 0, dataLun = lun, attribute = Attribute.simple } = command;
  await initiator.send(scsiCommand({
    ...numbered(initiator),
    ...{ initiatorTaskTag: tag, lun, cdb, attribute, isFinal: true },
    ...{ reads: readBytes > 0, writes: written !== undefined, expectedLength: written?.length ?? readBytes },
  }));
  for (let count = 0; count < 100; count++) {
    const pdu = await initiator.receive();
    if (pdu.opcode !== Opcode.readyToTransfer) return pdu;
    const { bufferOffset, targetTransferTag, desiredLength } = pdu;
    await initiator.send(dataOut({
      ...{ isFinal: true, lun: dataLun, initiatorTaskTag: tag, targetTransferTag, dataSn: 0, bufferOffset },
      expStatSn: initiator.expStatSn,
      data: written!.subarray(bufferOffset, bufferOffset + desiredLength),
    }));
  }
  throw new Error("R2T without end");
}

/** Returns the notes about what was tolerated. */
function overlooked(harness: Harness): string[] {
  const texts = harness.events.map(({ message }) => message).filter((text) =>
    text.includes(": overlooked: ")
  );
  return texts.map((text) => text.split(": overlooked: ")[1]!);
}

/** Sends TEST UNIT READY until it is good: the first time it has the unit attention of a new nexus. */
async function becomeReady(initiator: Initiator, command: Omit<OddCommand, "cdb">): Promise<void> {
  const statuses = [0, 1].map(async () =>
    (await perform(initiator, { ...command, cdb: testUnitReady() })).status
  );
  assertEquals(await Promise.all(statuses), [ScsiStatus.checkCondition, ScsiStatus.good]);
}

Deno.test("jSCSI logs in by one request in any order of keys, and uses the tag of its login again", () =>
  withHarness({ targets: [{ stores: twoStores() }] }, async (harness) => {
    const initiator = harness.connect({ firstCmdSn: 0 });
    const { keys } = await step(initiator, {
      currentStage: Stage.operational,
      nextStage: Stage.fullFeature,
      initiatorTaskTag: 1,
      pairs: pairsOf(`
        OFMarkInt=2048
        MaxConnections=1
        MaxOutstandingR2T=1
        InitiatorName=iqn.2012-04.kn.uni.disy:jscsi
        FirstBurstLength=65536
        MaxRecvDataSegmentLength=8192
        DefaultTime2Wait=2
        IFMarkInt=2048
        ImmediateData=No
        InitiatorAlias=InitiatorAlias
        InitialR2T=Yes
        DataPDUInOrder=Yes
        ErrorRecoveryLevel=0
        DataSequenceInOrder=Yes
        OFMarker=No
        HeaderDigest=None
        IFMarker=No
        SessionType=Normal
        DefaultTime2Retain=20
        DataDigest=None
        AuthMethod=None
        MaxBurstLength=262144
        TargetName=${nameOf()}
      `),
    });
    assertEquals(new Map(keys).get("AuthMethod"), "None");
    await becomeReady(initiator, { tag: 1, lun: 0 });
    const written = pattern(25_600);
    const write = await perform(initiator, { tag: 1, lun: 0, cdb: write10(1234, 50), written });
    assertEquals(write.status, ScsiStatus.good);
    const read = await perform(initiator, { tag: 2, lun: 0, cdb: read10(1234, 1), readBytes: 512 });
    assertEquals(read.data, written.subarray(0, 512));
    await initiator.send(logoutRequest({
      ...numbered(initiator, true),
      ...{ initiatorTaskTag: 2, reason: LogoutReason.closeSession },
    }));
    assertEquals((await initiator.receive()).opcode, Opcode.logoutResponse);
  }));

Deno.test("ISCSIClient of iSCSIConsole changes the tag in its login, and sends data with LUN 0 to any LUN", () =>
  withHarness({ targets: [{ stores: twoStores() }] }, async (harness) => {
    const initiator = harness.connect({ firstCmdSn: 0 });
    await step(initiator, {
      initiatorTaskTag: 0,
      expStatSn: 0,
      pairs: pairsOf(`
        InitiatorName=iqn.1991-05.com.microsoft:host
        AuthMethod=None
        SessionType=Normal
        TargetName=${nameOf()}
      `),
    });
    await step(initiator, {
      currentStage: Stage.operational,
      nextStage: Stage.fullFeature,
      initiatorTaskTag: 1,
      pairs: pairsOf(`
        HeaderDigest=None
        DataDigest=None
        MaxRecvDataSegmentLength=262144
        MaxConnections=1
        InitialR2T=Yes
        ImmediateData=Yes
        MaxBurstLength=262144
        FirstBurstLength=65536
        MaxOutstandingR2T=1
        DataPDUInOrder=Yes
        DataSequenceInOrder=Yes
        ErrorRecoveryLevel=0
        DefaultTime2Wait=0
        DefaultTime2Retain=20
      `),
    });
    await becomeReady(initiator, { tag: 2, lun: 1 });
    // READ CAPACITY(10) with the length of its parameter data in byte 8.
    const cdb = Uint8Array.of(0x25, 0, 0, 0, 0, 0, 0, 0, 8, 0);
    const capacity = await perform(initiator, { tag: 3, lun: 1, cdb, readBytes: 8 });
    assertEquals(capacity.data.toHex(), "000007ff00000200");
    const written = pattern(65_536);
    const write = await perform(initiator, { tag: 4, lun: 1, dataLun: 0, cdb: write16(100, 128), written });
    assertEquals(write.status, ScsiStatus.good);
    const read = await perform(initiator, { tag: 5, lun: 1, cdb: read10(227, 1), readBytes: 512 });
    assertEquals(read.data, written.subarray(-512));
    assertEquals(overlooked(harness), [
      "a Login Request changes its initiator task tag",
      "a Data-Out for an R2T has LUN 0, unlike its command",
    ]);
  }));

Deno.test("DiscUtils has a name with two years, and reads no keys beside those of CHAP", () =>
  withHarness(
    { targets: [{ stores: twoStores(), chap: chapConfig(), comment: "a friendly name" }] },
    async (harness) => {
      const initiator = harness.connect({ firstCmdSn: 1 });
      const fields = { connectionId: 1, initiatorTaskTag: 1 };
      const offer = await step(initiator, {
        ...fields,
        pairs: pairsOf(`
        TargetName=${nameOf()}
        InitiatorName=iqn.2008-2010-04.discutils.codeplex.com
        SessionType=Normal
        AuthMethod=None,CHAP
      `),
      });
      assertEquals([offer.pdu.statSn, offer.pdu.isTransit], [1, false]);
      const challenge = await step(initiator, { ...fields, pairs: [["CHAP_A", "5"]] });
      assertEquals([challenge.pdu.statSn, challenge.pdu.isTransit], [2, false]);
      const proof = await step(initiator, { ...fields, pairs: answerChallenge(challenge.keys, CREDENTIALS) });
      // It takes keys in this answer, even TargetAlias, for a further part of CHAP.
      assertEquals([proof.pdu.statSn, proof.pdu.isTransit, proof.keys], [3, true, []]);
      await step(initiator, {
        ...fields,
        currentStage: Stage.operational,
        nextStage: Stage.fullFeature,
        pairs: pairsOf("HeaderDigest=None\nDataDigest=None\nMaxRecvDataSegmentLength=131072\nInitialR2T=Yes"),
      });
      await becomeReady(initiator, { tag: 1, lun: 0 });
    },
  ));

Deno.test("uiscsi offers the keys of normal sessions for discovery, too, and reads a value for each", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    await step(initiator, {
      pairs: pairsOf(`
        InitiatorName=iqn.2026-03.com.github.rkujawa:uiscsi
        SessionType=Discovery
        AuthMethod=None
      `),
    });
    const offered = pairsOf(UISCSI_KEYS);
    const { keys } = await step(initiator, {
      currentStage: Stage.operational,
      nextStage: Stage.fullFeature,
      pairs: offered,
    });
    const answered = new Map(keys);
    for (const [key] of offered) assertEquals(/^(None|Yes|No|\d+)$/.test(answered.get(key) ?? ""), true, key);
    const text = encodeText([["SendTargets", "All"]]);
    await initiator.send(textRequest({ ...numbered(initiator), isFinal: true, text }));
    assertEquals(new Map(decodeText((await initiator.receive()).data)).get("TargetName"), nameOf());
  }));

Deno.test("uiscsi proves itself in three steps without a tag, and asks for CLEAR ACA to clear a task set", () =>
  withHarness({ targets: [{ stores: twoStores(), chap: chapConfig() }] }, async (harness) => {
    const initiator = harness.connect();
    const stay = { isTransit: false, nextStage: Stage.security };
    await step(initiator, {
      ...stay,
      expStatSn: 0,
      pairs: pairsOf(`
        InitiatorName=iqn.2026-03.com.github.rkujawa:uiscsi
        SessionType=Normal
        AuthMethod=CHAP
        TargetName=${nameOf()}
      `),
    });
    const { keys } = await step(initiator, { ...stay, pairs: [["CHAP_A", "5"]] });
    // Its answer comes out of a hash table, in either order.
    await step(initiator, { pairs: answerChallenge(keys, CREDENTIALS).toReversed() });
    await step(initiator, {
      currentStage: Stage.operational,
      nextStage: Stage.fullFeature,
      pairs: pairsOf(UISCSI_KEYS),
    });
    const untagged = { lun: 1, attribute: Attribute.untagged };
    await becomeReady(initiator, { ...untagged, tag: 1 });
    const written = pattern(1024);
    const write = await perform(initiator, { ...untagged, tag: 2, dataLun: 0, cdb: write10(8, 2), written });
    assertEquals(write.status, ScsiStatus.good);
    const request = { ...numbered(initiator, true), function: TaskManagement.clearAca, lun: 1 };
    await initiator.send(taskManagementRequest(request));
    // "Task management function not supported": nothing is aborted.
    assertEquals((await initiator.receive()).response, 5);
    await initiator.send(taskManagementRequest({ ...request, function: TaskManagement.clearTaskSet }));
    assertEquals((await initiator.receive()).response, 0);
  }));

Deno.test("iscsi-client-rs takes no value but the ones that it proposed, and gets them all", () =>
  withHarness({}, async (harness) => {
    const initiator = harness.connect();
    const offered = pairsOf(`
      HeaderDigest=CRC32C
      DataDigest=CRC32C
      DataPDUInOrder=Yes
      DataSequenceInOrder=Yes
      ErrorRecoveryLevel=0
      FirstBurstLength=65536
      MaxBurstLength=262144
      MaxRecvDataSegmentLength=262144
      ImmediateData=Yes
      InitialR2T=Yes
      MaxOutstandingR2T=1
      DefaultTime2Retain=0
      DefaultTime2Wait=2
      MaxConnections=1
    `);
    const { keys } = await step(initiator, {
      currentStage: Stage.operational,
      nextStage: Stage.fullFeature,
      initiatorTaskTag: NO_TAG - 1,
      pairs: [
        ...pairsOf(`
          AuthMethod=None
          InitiatorAlias=ubuntu
          InitiatorName=iqn.2004-10.com.ubuntu:01:c676ed18968f
          SessionType=Normal
          TargetName=${nameOf()}
        `),
        ...offered,
      ],
    });
    const answered = new Map(keys);
    for (const [key, value] of offered) assertEquals(answered.get(key), value, key);
  }));

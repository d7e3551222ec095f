/**
 * Logins (RFC 7143, 6.3 and 11.12), with all the deviations that tests need.
 */
import {
  decodeText,
  encodeText,
  joinBytes,
  OFFERED_KEYS,
  splitBytes,
  type TextPairs,
} from "./initiator_text.ts";
import { answerChallenge, type ChapOptions, checkTarget } from "./initiator_chap.ts";
import { Opcode, type Pdu, TargetFault } from "./initiator_pdu.ts";
import { loginRequest, type RequestPdu } from "./initiator_request.ts";

/** Stages of a login (11.12.3). */
export const Stage = { security: 0, operational: 1, fullFeature: 3 } as const;

/** Qualifier 0 of a locally chosen ISID (11.12.5): type "random", which any test may use. */
export const ISID = Uint8Array.of(0x80, 0x12, 0x34, 0x56, 0x00, 0x01);

/** Deviations of a login from the default: a normal session, one PDU for each of the two stages. */
export interface LoginOptions {
  readonly initiatorName?: string;
  /** Without one, the login is of a discovery session. */
  readonly targetName?: string | undefined;
  /** The target that a discovery session names, if it names one. */
  readonly discoveredName?: string;
  readonly isid?: Uint8Array;
  readonly tsih?: number;
  readonly connectionId?: number;
  /** Keys of the operational stage that replace those usually offered; undefined leaves one out. */
  readonly keys?: Readonly<Record<string, string | undefined>>;
  /** Starts with the security stage; the default is true. */
  readonly hasSecurityStage?: boolean;
  /** The CHAP credentials; absent, the initiator offers only AuthMethod=None. */
  readonly chap?: ChapOptions | undefined;
  /** Sends the text of each stage in PDUs of this size, all but the last with C. */
  readonly pieceBytes?: number;
}

/** The outcome of a login. */
export interface LoginResult {
  readonly tsih: number;
  /** The keys that we offered, and the target's answers, of all stages. */
  readonly offered: TextPairs;
  readonly answered: TextPairs;
  readonly responses: readonly Pdu[];
}

/** The target refused the login (11.13.5). */
export class LoginRefused extends Error {
  override readonly name = "LoginRefused";
  readonly pdu: Pdu;
  /** Class and detail as one number: 0202h for "authorization failure". */
  readonly status: number;

  constructor(pdu: Pdu) {
    const status = pdu.statusClass << 8 | pdu.statusDetail;
    super(`The target refused the login: status ${status.toString(16).padStart(4, "0")}h`);
    this.pdu = pdu;
    this.status = status;
  }
}

/** The parts of an initiator that a login uses. */
interface LoginInitiator {
  readonly nextCmdSn: number;
  readonly expStatSn: number;
  nextTaskTag(): number;
  exchange(initiatorTaskTag: number, request: RequestPdu): Promise<Pdu>;
}

/** The name of the initiator in these tests and in their confs. */
export const INITIATOR_NAME = "iqn.2011-07.com.example:89abcdef";

/** The most rounds of a login. */
const ROUNDS_MAX = 64;

/** Keys that a discovery session has no use for (13). */
const NORMAL_SESSION_KEYS = [
  "InitialR2T",
  "ImmediateData",
  "FirstBurstLength",
  "MaxBurstLength",
  "MaxOutstandingR2T",
  "MaxConnections",
  "DataPDUInOrder",
  "DataSequenceInOrder",
];

function securityKeys(
  { initiatorName = INITIATOR_NAME, targetName, discoveredName }: LoginOptions,
): TextPairs {
  const session: TextPairs = targetName === undefined
    ? [
      ["SessionType", "Discovery"],
      ...(discoveredName === undefined ? [] : [["TargetName", discoveredName] as const]),
    ]
    : [["SessionType", "Normal"], ["TargetName", targetName]];
  return [["InitiatorName", initiatorName], ...session];
}

function operationalKeys({ keys = {}, targetName }: LoginOptions): TextPairs {
  const isOffered = ([key]: readonly [string, unknown]): boolean =>
    targetName !== undefined || !NORMAL_SESSION_KEYS.includes(key);
  return Object.entries({ ...Object.fromEntries(Object.entries(OFFERED_KEYS).filter(isOffered)), ...keys })
    .filter((pair): pair is [string, string] => pair[1] !== undefined);
}

/** Logs in and returns what was said. */
export async function runLogin(initiator: LoginInitiator, options: LoginOptions): Promise<LoginResult> {
  const login = new Login(initiator, options);
  const operational = operationalKeys(options);
  if (options.hasSecurityStage ?? true) {
    const method = options.chap === undefined ? "None" : "CHAP,None";
    const security: TextPairs = [...securityKeys(options), ["AuthMethod", method]];
    if (options.chap === undefined) await login.passStage(Stage.security, Stage.operational, security);
    else await login.prove(security, options.chap);
    await login.passStage(Stage.operational, Stage.fullFeature, operational);
  } else {
    await login.passStage(Stage.operational, Stage.fullFeature, [...securityKeys(options), ...operational]);
  }
  return login.finish();
}

/** A login under way. */
class Login {
  readonly #initiator: LoginInitiator;
  readonly #options: LoginOptions;
  readonly #tag: number;
  readonly #isid: Uint8Array;
  readonly #offered: (readonly [string, string])[] = [];
  readonly #answered: (readonly [string, string])[] = [];
  readonly #responses: Pdu[] = [];

  constructor(initiator: LoginInitiator, options: LoginOptions) {
    this.#initiator = initiator;
    this.#options = options;
    this.#tag = initiator.nextTaskTag();
    this.#isid = options.isid ?? ISID;
  }

  /** Offers the keys of a stage, reads the answers to their end, and moves on to the next stage. */
  async passStage(currentStage: number, nextStage: number, pairs: TextPairs): Promise<void> {
    const text = encodeText(pairs);
    const pieces = splitBytes(text, this.#options.pieceBytes ?? 8192);
    this.#offered.push(...pairs);
    let answer: Uint8Array[] = [];
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const isContinued = round < pieces.length - 1;
      const response = await this.#step(
        currentStage,
        nextStage,
        isContinued ? "continue" : "transit",
        pieces[round] ?? new Uint8Array(0),
      );
      answer.push(response.data);
      if (isContinued && (response.isTransit || response.data.length > 0)) {
        throw new TargetFault("The target answered text before it was complete");
      }
      if (response.isContinued) continue;
      this.#answered.push(...decodeText(joinBytes(answer)));
      answer = [];
      if (response.isTransit) return;
    }
    throw new TargetFault(`Stage ${currentStage} of the login took more than ${ROUNDS_MAX} rounds`);
  }

  /** Passes the security stage, by CHAP (12.1.3) if the target requires it. */
  async prove(pairs: TextPairs, chap: ChapOptions): Promise<void> {
    const method = await this.#ask(pairs);
    if (method.get("AuthMethod") !== "CHAP") {
      return await this.passStage(Stage.security, Stage.operational, []);
    }
    const challenge = await this.#ask([["CHAP_A", chap.algorithms ?? "8,7,6,5"]]);
    const from = this.#answered.length;
    await this.passStage(Stage.security, Stage.operational, answerChallenge([...challenge], chap));
    checkTarget(this.#answered.slice(from), challenge.get("CHAP_A")!, chap);
  }

  /** Sends keys in the security stage, and stays there. */
  async #ask(pairs: TextPairs): Promise<ReadonlyMap<string, string>> {
    this.#offered.push(...pairs);
    const { data } = await this.#step(Stage.security, Stage.security, "stay", encodeText(pairs));
    const answers = decodeText(data);
    this.#answered.push(...answers);
    return new Map(answers);
  }

  finish(): LoginResult {
    const last = this.#responses.at(-1)!;
    if (last.tsih === 0) throw new TargetFault("TSIH of the final login response is 0");
    return { tsih: last.tsih, offered: this.#offered, answered: this.#answered, responses: this.#responses };
  }

  async #step(
    currentStage: number,
    nextStage: number,
    mode: "transit" | "continue" | "stay",
    text: Uint8Array,
  ): Promise<Pdu> {
    const isTransit = mode === "transit";
    const response = await this.#initiator.exchange(
      this.#tag,
      loginRequest({
        isTransit,
        isContinued: mode === "continue",
        currentStage,
        nextStage: isTransit ? nextStage : 0,
        isid: this.#isid,
        tsih: this.#options.tsih ?? 0,
        connectionId: this.#options.connectionId ?? 0,
        initiatorTaskTag: this.#tag,
        cmdSn: this.#initiator.nextCmdSn,
        expStatSn: this.#initiator.expStatSn,
        text,
      }),
    );
    if (response.opcode !== Opcode.loginResponse) {
      throw new TargetFault(`Received ${response.name} during a login`);
    }
    if (response.statusClass !== 0) throw new LoginRefused(response);
    this.#responses.push(response);
    this.#checkResponse(response, currentStage, isTransit ? nextStage : undefined);
    return response;
  }

  #checkResponse(response: Pdu, currentStage: number, nextStage: number | undefined): void {
    if (response.header[2] !== 0 || response.header[3] !== 0) {
      throw new TargetFault("The target speaks a version other than 0");
    }
    if (response.isid.some((byte, i) => byte !== this.#isid[i])) {
      throw new TargetFault("ISID is not what we sent");
    }
    if (response.currentStage !== currentStage) {
      throw new TargetFault(`The target is in stage ${response.currentStage}, we are in ${currentStage}`);
    }
    if (response.isTransit && response.nextStage !== nextStage) {
      throw new TargetFault(`The target goes to stage ${response.nextStage}, which we did not ask for`);
    }
    if (!response.isTransit && response.nextStage !== 0) {
      throw new TargetFault("A login response has NSG without T");
    }
    if (response.isTransit && response.isContinued) {
      throw new TargetFault("A login response has both T and C");
    }
  }
}

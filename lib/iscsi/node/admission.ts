/**
 * The rules that decide who may log in.
 *
 * The default is to deny. A target that does not exist and one that the initiator may not use look the same to the
 * initiator; the log distinguishes them and names the rule that refused. Only initiators that a removed target
 * admitted learn that it was removed.
 */
import { type Requester, requester } from "../../access/policy.ts";
import { quoteWord } from "../../base/quoted_words.ts";
import { formatPortal } from "../../bytes/network.ts";
import type { ChapConfig } from "../../config/chap.ts";
import type { TargetConfig } from "../../config/config.ts";
import type { Redirection } from "../../config/redirection.ts";
import type { ConnectionEnds } from "../byte_stream.ts";
import type { Clock } from "../clock.ts";
import type { LoginRules, RefusedPeer } from "../connection/login_phase.ts";
import { LoginStatus } from "../pdu/login_status.ts";
import { type LoginRefusal, loginRefused, redirected } from "../pdu/protocol_error.ts";
import { FailedLogins } from "./failed_logins.ts";
import { type RefusalFigures, Refusals } from "./refusals.ts";
import type { ServedTargets } from "./served_targets.ts";
import type { LoginIdentity } from "../login/identity.ts";
import type { Admission } from "../login/authority.ts";

/** The collaborators of the rules. */
export interface AdmissionOptions {
  readonly targets: ServedTargets;
  readonly clock: Clock;
  /** Returns unpredictable bytes for CHAP challenges. */
  readonly randomBytes: (length: number) => Uint8Array;
  /** Called with the address of each failed login. */
  readonly onFailedLogin: (peerAddress: string) => void;
  /** Returns true for a challenge that another connection has sent and that is not answered. */
  readonly isOutstanding: (challenge: Uint8Array) => boolean;
}

/** The rules of one node, and the refusals by them. */
export class AdmissionRules implements LoginRules {
  readonly #targets: ServedTargets;
  readonly #clock: Clock;
  readonly #means: Pick<AdmissionOptions, "randomBytes" | "isOutstanding">;
  readonly #onFailedLogin: (peerAddress: string) => void;
  readonly #failedLogins: FailedLogins;
  readonly #refusals = new Refusals();
  #isStopping = false;

  constructor({ targets, clock, randomBytes, onFailedLogin, isOutstanding }: AdmissionOptions) {
    this.#onFailedLogin = onFailedLogin;
    this.#targets = targets;
    this.#clock = clock;
    this.#means = { randomBytes, isOutstanding };
    this.#failedLogins = new FailedLogins(clock);
  }

  /** Refuses every login from now on: the server is about to stop. */
  stop(): void {
    this.#isStopping = true;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  authorize(ends: ConnectionEnds, { initiatorName, targetName }: LoginIdentity): Admission {
    this.#checkServing(initiatorName);
    const targets = this.#targets;
    if (targetName === undefined) return this.#admission(targets.chap.chap);
    const config = targets.configOf(targetName);
    if (config === undefined) return this.#absence(targetName, requester(initiatorName, ends));
    const decision = targets.decide(config, requester(initiatorName, ends));
    if (!decision.allowed) {
      return this.#refusal(initiatorName, { reason: decision.option, rule: decision.rule });
    }
    const { chap, comment: alias } = config;
    const redirect = this.#redirectionOf(config, ends);
    if (redirect === undefined) return this.#admission(chap, { alias });
    const where = `${redirect.isPermanent ? "permanently" : "temporarily"} at ${redirect.targetAddress}`;
    const message = `login of ${quoteWord(initiatorName)} redirected: [${config.name}] is ${where}`;
    return this.#admission(chap, { refusal: redirected(redirect, message) });
  }

  /** Returns the redirection that the conf names, or the one to the port at which the target is served. */
  #redirectionOf(config: TargetConfig, { localAddress }: ConnectionEnds): Redirection | undefined {
    if (config.redirect !== undefined || !this.#targets.isElsewhere(config)) return config.redirect;
    return { targetAddress: formatPortal(localAddress, config.port), isPermanent: false };
  }

  #checkServing(initiatorName: string): void {
    if (!this.#isStopping) return;
    const refusal = { reason: "limit", rule: "the server is stopping" } as const;
    throw loginRefused(LoginStatus.serviceUnavailable, initiatorName, refusal);
  }

  /** Refuses a login, whatever the initiator proves before. */
  #refusal(initiatorName: string, why: LoginRefusal): Admission {
    const refusal = loginRefused(LoginStatus.notFound, initiatorName, why);
    return this.#admission(this.#targets.proofOfRefused, { refusal });
  }

  /** Refuses a login to a target that is not served. An initiator that a removed target admitted gets status 0204. */
  #absence(targetName: string, asking: Requester): Admission {
    const { initiatorName } = asking;
    const removed = this.#targets.removed(targetName);
    if (removed === undefined || !this.#targets.decide(removed, asking).allowed) {
      return this.#refusal(initiatorName, {
        reason: "target",
        rule: `there is no target "${targetName}"`,
      });
    }
    const why = { reason: "target", rule: `target "${targetName}" has been removed` } as const;
    const refusal = loginRefused(LoginStatus.targetRemoved, initiatorName, why);
    return this.#admission(removed.chap, { refusal });
  }

  #admission(
    chap: ChapConfig | undefined,
    { refusal, alias }: Partial<Pick<Admission, "refusal" | "alias">> = {},
  ): Admission {
    const terms = { minimum: this.#targets.chap.chapMinimum, ...this.#means };
    const needlessChap = { accounts: undefined, mutual: undefined, ...terms };
    return { chap: chap && { ...chap, ...terms }, needlessChap, refusal, alias };
  }

  authenticationFailed({ peerAddress }: ConnectionEnds): void {
    this.countFailedLogin(peerAddress);
    this.#onFailedLogin(peerAddress);
  }

  /** Counts a failed login, here or at another worker of the server. */
  countFailedLogin(peerAddress: string): void {
    this.#failedLogins.add(peerAddress);
  }

  authenticationDelayMs({ peerAddress }: ConnectionEnds): number {
    return this.#failedLogins.delayMs(peerAddress);
  }

  refused({ ends: { peerAddress }, claim }: RefusedPeer, { reason, rule }: LoginRefusal): void {
    const { initiatorName = null, targetName = null } = claim ?? {};
    this.#refusals.add({ peerAddress, initiatorName, targetName, reason, rule }, this.#clock.now());
  }

  /** Returns the refusals so far. */
  figures(): RefusalFigures {
    return this.#refusals.figures();
  }
}

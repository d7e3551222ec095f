/**
 * CHAP as values (RFC 7143, 12.1.3). The responses below were computed by Python's hashlib, as
 * `hashlib.new(name, bytes([identifier]) + secret + challenge).hexdigest()`.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { type Account, CHAP_ALGORITHMS } from "../../../lib/config/chap.ts";
import { Secret } from "../../../lib/config/secret.ts";
import { ChapExchange, type ChapReply, type ChapTerms, isChapKey } from "../../../lib/iscsi/login/chap.ts";
import type { KeyValue } from "../../../lib/iscsi/pdu/text.ts";
import { numberFromEnvironment, Random } from "../../support/seeded_random.ts";

const IDENTIFIER = 0xa5;

/** By algorithm: the response of `bobsecret123`, and that of `targetsecret1` to challenge 0011...ff, identifier 9. */
const GOLDENS = {
  "5": {
    challenge: "030a11181f262d343b424950575e656c",
    response: "2bad7dcee6e70e15fb1e26f24c70126d",
    mutual: "68b03f15c9c2a8a02d58980329d4afc8",
  },
  "6": {
    challenge: "030a11181f262d343b424950575e656c737a8188",
    response: "eaac453899ba965672c5f39eb29e16927467bf42",
    mutual: "ea2281fd7cb779a42bfd9b0945d911124ad9022e",
  },
  "7": {
    challenge: "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc",
    response: "0a1de9fdfb330b7791ab85aa30c1daee0609c147b95707b29ee5a707069d5462",
    mutual: "0f6f55286a47c94fc6e77f18deccebf3e4092972f80c340d506add547f96029a",
  },
  "8": {
    challenge: "030a11181f262d343b424950575e656c737a81888f969da4abb2b9c0c7ced5dc",
    response: "daab5bb4979e5a3c6ef42afaf9549684c287b2246a04f2a071a130e77ae42c9b",
    mutual: "551687d4e04a7bc7c6adeb76207cd4a3cd058cf3d0f29ea1f0d705b2cde20083",
  },
} as const;

const INITIATOR = "iqn.2000-01.com.example:a";
const THEIR_CHALLENGE = "00112233445566778899aabbccddeeff";
const MD5 = GOLDENS["5"];
const PROOF: readonly KeyValue[] = [["CHAP_N", "bob"], ["CHAP_R", `0x${MD5.response}`]];
const MUTUAL: readonly KeyValue[] = [["CHAP_I", "9"], ["CHAP_C", `0x${THEIR_CHALLENGE}`]];

function secretOf(text: string): Secret {
  return new Secret(new TextEncoder().encode(text));
}

function account(name: string, secret: string, ...initiators: readonly string[]): Account {
  return { name, secret: secretOf(secret), initiators };
}

function accountsOf(...accounts: readonly Account[]): ChapTerms["accounts"] {
  return new Map(accounts.map((account) => [account.name, account]));
}

/** Bytes that the goldens above were made with: a lone byte is an identifier. */
function fixedBytes(length: number): Uint8Array {
  return length === 1 ? Uint8Array.of(IDENTIFIER) : Uint8Array.from({ length }, (_, index) => index * 7 + 3);
}

function exchangeOf(terms: Partial<ChapTerms> = {}): ChapExchange {
  return new ChapExchange({
    accounts: accountsOf(account("bob", "bobsecret123"), account("alice", "alicesecret12")),
    mutual: { name: "box", secret: secretOf("targetsecret1") },
    minimum: "md5",
    randomBytes: fixedBytes,
    isOutstanding: () => false,
    ...terms,
  }, INITIATOR);
}

/** An exchange after AuthMethod=CHAP and, with `isChallenged`, after the choice of MD5. */
function begun(terms: Partial<ChapTerms> = {}, isChallenged = true): ChapExchange {
  const exchange = exchangeOf(terms);
  exchange.begin();
  if (isChallenged) exchange.receive([["CHAP_A", "5"]]);
  return exchange;
}

/** The status of a reply in four digits; "0000" for a success. */
function statusOf(reply: ChapReply): string {
  return "failure" in reply ? reply.failure.toString(16).padStart(4, "0") : "0000";
}

for (const [code, { challenge, response, mutual }] of Object.entries(GOLDENS)) {
  Deno.test(`an exchange with CHAP_A=${code}, one-way and mutual`, () => {
    for (const isMutual of [false, true]) {
      const exchange = begun({}, false);
      assertEquals(exchange.receive([["CHAP_A", code]]), {
        answers: [["CHAP_A", code], ["CHAP_I", "165"], ["CHAP_C", `0x${challenge}`]],
      });
      assertEquals(exchange.proved, undefined);
      const proof: KeyValue[] = [["CHAP_N", "bob"], ["CHAP_R", `0x${response}`]];
      assertEquals(exchange.receive([...proof, ...(isMutual ? MUTUAL : [])]), {
        answers: isMutual ? [["CHAP_N", "box"], ["CHAP_R", `0x${mutual}`]] : [],
      });
      assertEquals(exchange.proved?.name, "bob");
    }
  });
}

Deno.test("of the algorithms offered the first is chosen that the conf allows (6.2.1)", () => {
  const rows = [
    ["5", "md5", "5"],
    ["5,6,7,8", "md5", "5"],
    ["7,5,8", "md5", "7"],
    ["8,7,6,5", "sha1", "8"],
    ["5,7,6", "sha1", "7"],
    ["5,6,7,8", "sha256", "7"],
    ["0x6,5", "sha1", "6"],
    ["129,1,5,nonsense,,99999999999", "md5", "5"],
    ["5", "sha1", "0201"],
    ["7,6,5", "sha3-256", "0201"],
    ["", "md5", "0201"],
    ["9,4,MD5", "md5", "0201"],
  ] as const;
  for (const [offer, minimum, expected] of rows) {
    const reply = begun({ minimum }, false).receive([["CHAP_A", offer]]);
    const chosen = "answers" in reply ? reply.answers[0]![1] : statusOf(reply);
    assertEquals(chosen, expected, `${offer} of at least ${minimum}`);
  }
});

Deno.test("a challenge is at least as long as what the algorithm makes of it", () => {
  const lengths = CHAP_ALGORITHMS.map((_, index) => {
    const reply = begun({}, false).receive([["CHAP_A", String(5 + index)]]);
    return "answers" in reply ? (reply.answers[2]![1].length - 2) / 2 : 0;
  });
  assertEquals(lengths, [16, 20, 32, 32]);
});

Deno.test("every exchange has a challenge of its own, from the source of random bytes", () => {
  const drawn: number[] = [];
  const randomBytes = (length: number): Uint8Array => {
    drawn.push(length);
    return crypto.getRandomValues(new Uint8Array(length));
  };
  const challenges = Array.from({ length: 1000 }, () => {
    const reply = begun({ randomBytes }, false).receive([["CHAP_A", "8"]]);
    return "answers" in reply ? reply.answers[2]![1] : "";
  });
  assertEquals(new Set(challenges).size, 1000);
  assertEquals([drawn.length, drawn[0], drawn[1]], [2000, 32, 1]);
});

Deno.test("binary values are taken in hexadecimal and base64, in either letter case", () => {
  const bytes = Uint8Array.fromHex(MD5.response);
  const forms = [
    `0x${MD5.response}`,
    `0X${MD5.response.toUpperCase()}`,
    `0b${bytes.toBase64()}`,
    `0B${bytes.toBase64()}`,
  ];
  for (const form of forms) {
    assertEquals(statusOf(begun().receive([["CHAP_N", "bob"], ["CHAP_R", form]])), "0000", form);
  }
});

Deno.test("0201: a wrong secret, a wrong name and a response of a wrong length; our log tells them apart", () => {
  const rows: readonly [string, string, RegExp][] = [
    ["bob", `0x${"00".repeat(16)}`, /^the secret for CHAP name "bob" is wrong$/],
    ["alice", `0x${MD5.response}`, /^the secret for CHAP name "alice" is wrong$/],
    ["bob", `0x${MD5.response}00`, /^the secret for CHAP name "bob" is wrong$/],
    ["bob", `0x${MD5.response.slice(2)}`, /^the secret for CHAP name "bob" is wrong$/],
    ["Bob", `0x${MD5.response}`, /^CHAP name "Bob" is unknown$/],
    ["", `0x${MD5.response}`, /^CHAP name "" is unknown$/],
    ["__proto__", `0x${MD5.response}`, /^CHAP name "__proto__" is unknown$/],
  ];
  for (const [name, response, log] of rows) {
    const exchange = begun();
    const reply = exchange.receive([["CHAP_N", name], ["CHAP_R", response]]);
    assertEquals(statusOf(reply), "0201", name);
    assertMatch("reason" in reply ? reply.reason : "", log);
    assertEquals(exchange.proved, undefined);
  }
});

Deno.test("0201: nobody can prove anything where there is no name, not even what stands in for a secret", () => {
  // The first is of a secret of 16 zero bytes, which stands in for the one of a name that there is not.
  const response = "f1aa243f9d3c870b112efbb468327446";
  for (const value of [response, MD5.response]) {
    const reply = begun({ accounts: new Map() }).receive([["CHAP_N", "bob"], ["CHAP_R", `0x${value}`]]);
    assertEquals(statusOf(reply), "0201");
  }
});

Deno.test("0201: a name that is bound to other initiators is refused like a wrong secret", () => {
  const [own, other] = [INITIATOR, "iqn.2000-01.com.example:b"];
  const rows = [
    [[own], "0000"],
    [[other, own], "0000"],
    [[other], "0201"],
    [["iqn.2000-01.com.example:a:a"], "0201"],
  ] as const;
  for (const [initiators, expected] of rows) {
    const exchange = begun({ accounts: accountsOf(account("bob", "bobsecret123", ...initiators)) });
    const reply = exchange.receive([...PROOF, ...MUTUAL]);
    assertEquals(statusOf(reply), expected, initiators.join(" "));
    assertEquals(exchange.proved?.name, expected === "0000" ? "bob" : undefined);
    if ("failure" in reply) {
      assertEquals(
        reply.reason,
        'CHAP name "bob" is bound to other initiators, although the secret is right',
      );
    }
  }
  const wrong = begun({ accounts: accountsOf(account("bob", "another secret", other)) }).receive(PROOF);
  assertEquals(statusOf(wrong), "0201");
  assertMatch("failure" in wrong ? wrong.reason : "", /^the secret for CHAP name "bob" is wrong$/);
});

Deno.test("0201: mutual CHAP is asked for where the target has nothing to prove itself by", () => {
  const reply = begun({ mutual: undefined }).receive([...PROOF, ...MUTUAL]);
  assertEquals(statusOf(reply), "0201");
});

Deno.test("0201: a challenge of our own comes back, from this connection or another (9.2.1)", () => {
  const ours = Uint8Array.fromHex(MD5.challenge);
  const others = [begun()];
  const isOutstanding = (bytes: Uint8Array): boolean => others.some((other) => other.isOutstanding(bytes));
  const reflected: KeyValue[] = [["CHAP_I", "9"], ["CHAP_C", `0b${ours.toBase64()}`]];
  assertEquals(statusOf(begun({ isOutstanding }).receive([...PROOF, ...reflected])), "0201");
  assertEquals(statusOf(begun({ isOutstanding }).receive([...PROOF, ...MUTUAL])), "0000");
  // An answered challenge is no longer outstanding.
  others[0]!.receive(PROOF);
  assertEquals(statusOf(begun({ isOutstanding }).receive([...PROOF, ...reflected])), "0000");
});

Deno.test("0200: keys out of turn", () => {
  assertEquals(statusOf(exchangeOf().receive([["CHAP_A", "5"]])), "0200");
  assertEquals(statusOf(begun({}, false).receive(PROOF)), "0200");
  assertEquals(statusOf(begun({}, false).receive([["CHAP_A", "5"], ...PROOF])), "0200");
  assertEquals(statusOf(begun().receive([["CHAP_A", "5"]])), "0200");
  assertEquals(statusOf(begun().receive([...PROOF, ["CHAP_A", "5"]])), "0200");
  const done = begun();
  done.receive(PROOF);
  for (const pairs of [PROOF, MUTUAL, [["CHAP_A", "5"]] as const]) {
    assertEquals(statusOf(done.receive(pairs)), "0200");
  }
  assertEquals(done.proved?.name, "bob");
});

Deno.test("0207: a key is missing", () => {
  for (const pairs of [[PROOF[0]!], [PROOF[1]!], [...PROOF, MUTUAL[0]!], [...PROOF, MUTUAL[1]!], MUTUAL]) {
    assertEquals(statusOf(begun().receive(pairs)), "0207", JSON.stringify(pairs));
  }
});

Deno.test("0200: values that are none, or too long", () => {
  const garbage = [
    "",
    "0x",
    "0b",
    "00",
    "1",
    "0xgg",
    "0b====",
    "0bAAA",
    "0b A=",
    "0c00",
    `0x${"00".repeat(1025)}`,
  ];
  for (const value of garbage) {
    assertEquals(statusOf(begun().receive([PROOF[0]!, ["CHAP_R", value]])), "0200", `CHAP_R=${value}`);
    const mutual: KeyValue[] = [["CHAP_I", "9"], ["CHAP_C", value]];
    assertEquals(statusOf(begun().receive([...PROOF, ...mutual])), "0200", `CHAP_C=${value}`);
  }
  for (const value of ["", "256", "-1", "x", "0x100"]) {
    const mutual: KeyValue[] = [["CHAP_I", value], MUTUAL[1]!];
    assertEquals(statusOf(begun().receive([...PROOF, ...mutual])), "0200", `CHAP_I=${value}`);
  }
  const longest: KeyValue[] = [["CHAP_I", "255"], ["CHAP_C", `0x${"ab".repeat(1024)}`]];
  assertEquals(statusOf(begun().receive([...PROOF, ...longest])), "0000");
});

Deno.test("no keys in whatever order let anybody in who does not know a secret (fuzz)", () => {
  const seed = numberFromEnvironment("FUZZ_SEED", 20070101);
  const random = new Random(seed);
  const keys = ["CHAP_A", "CHAP_N", "CHAP_R", "CHAP_I", "CHAP_C"];
  const values = [
    "5",
    "8,7,6,5",
    "bob",
    "alice",
    "9",
    "0x",
    `0x${MD5.challenge}`,
    `0b${btoa("x".repeat(16))}`,
    "",
  ];
  const replies = new Set<string>();
  for (let round = 0; round < 3000; round++) {
    const exchange = exchangeOf();
    for (let step = 0; step < 6; step++) {
      if (random.oneIn(3)) exchange.begin();
      const isSensible = random.oneIn(2);
      const names = isSensible ? random.pick([["CHAP_A"], ["CHAP_N", "CHAP_R"], keys.slice(1)]) : keys;
      const pairs = names.filter(() => isSensible || random.oneIn(2)).map((key): KeyValue => {
        return [key, random.oneIn(4) ? `0x${random.bytes(random.below(40)).toHex()}` : random.pick(values)];
      });
      if (pairs.length > 0) replies.add(statusOf(exchange.receive(pairs)));
      assertEquals(exchange.proved, undefined, `FUZZ_SEED=${seed}, round ${round}`);
    }
  }
  assertEquals([...replies].toSorted(), ["0000", "0200", "0201", "0207"], `FUZZ_SEED=${seed}`);
});

Deno.test("isChapKey() knows the keys of CHAP and no other", () => {
  assert(["CHAP_A", "CHAP_I", "CHAP_C", "CHAP_N", "CHAP_R"].every(isChapKey));
  assertEquals(["CHAP", "CHAP_X", "chap_a", "toString", "AuthMethod"].some(isChapKey), false);
});

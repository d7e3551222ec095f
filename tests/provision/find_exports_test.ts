import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { formatDiagnostic } from "../../lib/config/diagnostic.ts";
import { applySteps } from "../../lib/provision/apply_steps.ts";
import { findExports } from "../../lib/provision/find_exports.ts";
import { formatIdentities, parseIdentities } from "../../lib/provision/identity/identities.ts";
import { plan } from "../../lib/provision/plan.ts";
import { provision } from "../../lib/provision/provision.ts";
import { survey } from "../../lib/provision/survey.ts";
import type { Identity } from "../../lib/scsi/identity.ts";
import { configOf, identityNumber, NOW, numberedIdentities } from "./conf.ts";
import { snapshot, withScratch } from "./scratch.ts";

Deno.test("findExports() returns every LUN of a conf that was built", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB 2MB");
    await provision(config);
    const recorded = parseIdentities(Deno.readTextFileSync(join(folder, ".iscsi/identities.json")));
    const { exports, devices, errors } = findExports(config);
    assertEquals(errors, []);
    assertEquals(devices, []);
    const identityOf = (key: string): Identity => {
      const { naa, serialNumber } = recorded.get(key)!;
      return { naa, serialNumber };
    };
    assertEquals([...exports.values()], [
      { path: join(folder, "a"), sizeBytes: 2 ** 20, identity: identityOf("a") },
      { path: join(folder, "a_1"), sizeBytes: 2 ** 21, identity: identityOf("a_1") },
    ]);
  });
});

Deno.test("findExports() returns the LUNs of a conf that cannot be served, and changes nothing", async () => {
  await withScratch(async (folder) => {
    await provision(configOf(`storage=${folder}/s`, "[a]", "size=1MB"));
    Deno.writeFileSync(join(folder, "s/foreign"), new Uint8Array(512));
    const before = snapshot(folder);
    const lines = ["[a]", "size=2MB", "[b]", "size=1MB", "[foreign]", "size=512"];
    const config = configOf(`storage=${folder}/s`, ...lines);
    const { exports, unavailable, errors } = findExports(config);
    const lacks = [
      ["a", 3, true, "file is 1048576 bytes short"],
      ["b", 5, false, "it does not exist"],
      ["foreign", 7, false, "it has no identity"],
    ] as const;
    assertEquals(
      [...unavailable].map((
        [path, { line, identity, reason }],
      ) => [path, line, identity !== undefined, reason]),
      lacks.map(([name, line, hasIdentity, lack]) => {
        const path = `${folder}/s/${name}`;
        return [path, line, hasIdentity, `Cannot serve "${path}": ${lack}; run "iscsi build --conf conf"`];
      }),
    );
    assertEquals([exports.size, errors], [0, []]);
    assertEquals(snapshot(folder), before);
  });
});

Deno.test("findExports() suggests iscsi build when nothing was built", async () => {
  await withScratch((folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB 2MB");
    const { errors } = findExports(config);
    assertEquals(
      errors.map(formatDiagnostic),
      ["a", "a_1"].map((name) =>
        `conf:3: Cannot serve "${folder}/${name}": it does not exist; run "iscsi build --conf conf"`
      ),
    );
    assertEquals(findExports(configOf(`storage=${folder}`)).errors, []);
  });
});

Deno.test("findExports() shows initiators no identity whose build was interrupted", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    const { steps } = plan(config, survey(config), { makeIdentity: numberedIdentities(), now: NOW });
    // Everything is there but the record of that.
    await Array.fromAsync(applySteps(steps.filter(({ kind }) => kind !== "confirmFiles")));
    const { exports, errors } = findExports(config);
    assertEquals([exports.size, errors.map(({ message }) => message)], [0, [
      `Cannot serve "${folder}/a": its build was interrupted; run "iscsi build --conf conf"`,
    ]]);
    await provision(config);
    assertEquals(findExports(config).exports.get(join(folder, "a"))?.identity, identityNumber(1));
  });
});

Deno.test("findExports() returns LUNs of an earlier version, which recorded no dates", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    await provision(config);
    const identities = new Map([["a", identityNumber(7)]]);
    Deno.writeTextFileSync(join(folder, ".iscsi/identities.json"), formatIdentities(identities));
    assertEquals(findExports(config).exports.get(join(folder, "a"))?.identity, identityNumber(7));
    Deno.removeSync(join(folder, "a"));
    const { errors, unavailable } = findExports(config);
    assertEquals(errors, []);
    const { identity, reason } = unavailable.get(join(folder, "a"))!;
    assertEquals(identity, identityNumber(7));
    assertStringIncludes(
      reason,
      `Disk "${folder}/a" is lost: the file does not exist, but its identity is recorded`,
    );
  });
});

Deno.test("findExports() refuses what the plan refuses", async () => {
  await withScratch(async (folder) => {
    const config = configOf(`storage=${folder}`, "[a]", "size=1MB");
    await provision(config);
    Deno.renameSync(join(folder, "a"), join(folder, "b"));
    Deno.symlinkSync("b", join(folder, "a"));
    const { unavailable, errors } = findExports(config);
    assertEquals([errors, unavailable.size], [[], 1]);
    assertMatch(unavailable.get(join(folder, "a"))!.reason, /symbolic link leads to/);
    Deno.removeSync(join(folder, "a"));
    Deno.renameSync(join(folder, "b"), join(folder, "a"));
    Deno.writeTextFileSync(join(folder, ".iscsi/identities.json"), "{");
    const corrupt = findExports(config);
    assertEquals(corrupt.errors.map((error) => error.line), [1]);
    assertEquals(corrupt.exports.size, 0);
  });
});

Deno.test("findExports() hides a LUN that initiators would take for another one, and serves the others", async () => {
  await withScratch(async (folder) => {
    await provision(configOf(`storage=${folder}`, "[a]", "size=1MB", "[b]", "size=1MB", "[c]", "size=1MB"));
    const identities = parseIdentities(Deno.readTextFileSync(join(folder, ".iscsi/identities.json")));
    const { naa } = identities.get("a")!;
    const lines = ["[a]", "size=1MB", "[b]", "size=1MB", `naa=${naa}`, "[c]", "size=1MB"];
    const { exports, unavailable, errors } = findExports(configOf(`storage=${folder}`, ...lines));
    assertEquals([errors, [...exports.keys()]], [[], [join(folder, "a"), join(folder, "c")]]);
    const twin = unavailable.get(join(folder, "b"))!;
    assertEquals(twin.identity, undefined);
    assertStringIncludes(twin.reason, "initiators would take both for one disk");
  });
});

/** Completion in real shells, of the sessions and targets of a real server. */
import { assertEquals } from "@std/assert";
import { SHELLS } from "../../lib/cli/completion_words.ts";
import { Completer } from "../support/complete.ts";
import { testWithTools } from "../support/tools.ts";
import { Appliance } from "./appliance.ts";

const CONF = "[disk]\nsize = 16MB\nnetworks = 127.0.0.0/8\n[other]\nsize = 16MB\nnetworks = 127.0.0.0/8\n";
const NODE = "iqn.2002-08.info.netmanager";

testWithTools(
  "bash, fish and zsh complete the sessions and targets of the running server",
  SHELLS,
  async () => {
    using appliance = Appliance.create(CONF);
    await using _server = await appliance.serve();
    const initiatorName = "iqn.2011-07.com.example:anna";
    await using _anna = await appliance.login({ initiatorName, targetName: `${NODE}:disk` });
    using completer = new Completer();
    const conf = `--conf ${appliance.confPath}`;
    for (const shell of SHELLS) {
      const sessions = await completer.propose(shell, `iscsi disconnect ${conf} `);
      assertEquals(sessions.filter((word) => !/^\d+$/.test(word)), ["disk", initiatorName], shell);
      assertEquals(sessions.length, 3, shell);
      assertEquals(
        await completer.propose(shell, `iscsi reservations clear ${conf} `),
        ["disk", "other"],
        shell,
      );
    }
  },
);

import { assertEquals } from "@std/assert";
import { findLanguageFaults } from "./language.ts";

function faultsOf(text: string, isDocstring = true): string[] {
  return [...findLanguageFaults({ line: 1, text, isDocstring })].map((fault) => fault.text);
}

Deno.test("findLanguageFaults() takes docstrings that begin with a verb or a noun phrase", () => {
  for (
    const text of [
      "Returns the size.",
      "A session.",
      " Milliseconds\n * until what is sent.",
      "Whole blocks.",
    ]
  ) {
    assertEquals(faultsOf(text), [], text);
  }
});

Deno.test("findLanguageFaults() finds docstrings that describe around a thing", () => {
  for (const word of ["What", "How", "Where", "Who", "Whether", "Whose", "Those", "Whatever"]) {
    const fault = `a docstring begins with "${word}": begin with a verb or a noun phrase`;
    assertEquals([faultsOf(`${word} is sent.`), faultsOf(`\n * ${word} is sent.`)], [[fault], [fault]]);
    assertEquals(faultsOf(`${word} is sent.`, false), []);
  }
});

Deno.test("findLanguageFaults() finds phrases that no manual uses, also across lines", () => {
  const phrases = [
    ...["It is not served any more.", "It is\n * not served any\n * more.", "Begins anew.", "Slow of late."],
    ...["It mostly works.", "Any, be it small.", "Nobody waits.", "The peer himself.", "Whoever asks."],
    ...[
      "Tells the log.",
      "It was told.",
      "It hears of it.",
      "Shows how things stand.",
      "It goes on for all that.",
    ],
  ];
  for (const text of phrases) assertEquals(faultsOf(text, false).length, 1, text);
  assertEquals(faultsOf("If any more is sent, it ends.", false), []);
});

import { assertEquals } from "@std/assert";
import { formatResponse, headLength, parseHead } from "../../lib/metrics/http_request.ts";

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

Deno.test("headLength() finds the end of a head, whatever comes behind it, byte by byte", () => {
  for (const head of ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.0\n\n", "\r\n\r\n", "a\n\r\n"]) {
    const received = bytes(`${head}more\r\n\r\n`);
    for (let length = 0; length < head.length; length++) {
      assertEquals(headLength(received.subarray(0, length)), undefined, `${length} bytes of ${head}`);
    }
    assertEquals(headLength(received), head.length, head);
  }
});

Deno.test("parseHead() reads the first line, and the path without its query", () => {
  const rows: readonly (readonly [string, string, string])[] = [
    ["GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/metrics"],
    ["HEAD / HTTP/1.0\n\n", "HEAD", "/"],
    ["GET /metrics?a=b?c HTTP/1.1\r\n\r\n", "GET", "/metrics"],
    ["GET http://a/metrics HTTP/1.1\r\n\r\n", "GET", "http://a/metrics"],
  ];
  for (const [head, method, path] of rows) assertEquals(parseHead(bytes(head)), { method, path });
});

Deno.test("parseHead() knows what is no request", () => {
  const heads = ["", "GET\r\n\r\n", "GET / HTTP/2.0\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "\0\0\0\0\r\n\r\n"];
  for (const head of [...heads, "GET /a b HTTP/1.1\r\n\r\n", "GET /\xe4 HTTP/1.1\r\n\r\n"]) {
    assertEquals(parseHead(bytes(head)), undefined, JSON.stringify(head));
  }
});

Deno.test("formatResponse() says how long the body is, in bytes, also where it is left out", () => {
  const head = { status: 200, fields: { "Content-Type": "text/plain" } } as const;
  const expected =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\nConnection: close\r\n\r\n";
  const decoder = new TextDecoder();
  assertEquals(decoder.decode(formatResponse(head, "\u00e4\n", true)), `${expected}\u00e4\n`);
  assertEquals(decoder.decode(formatResponse(head, "\u00e4\n", false)), expected);
});

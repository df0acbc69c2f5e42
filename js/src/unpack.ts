/** Code that travels packed (gzip), as bytes. */

/** Run a module, which puts what it makes on the page (see place.ts). */
export async function runPacked({ buffer, byteOffset, byteLength }: DataView): Promise<void> {
  const packed = new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength);
  const text = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const code = new Blob([await new Response(text).arrayBuffer()], { type: "text/javascript" });
  const url = URL.createObjectURL(code);
  try {
    await import(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** The bytes of a byte string (see HeaderField); throws a RangeError for a character above 255. */
export function latin1ToBytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code > 255) throw new RangeError('not a byte string')
    bytes[i] = code
  }
  return bytes
}

/** The byte string of bytes. */
export function bytesToLatin1(bytes: Uint8Array): string {
  let text = ''
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192))
  return text
}

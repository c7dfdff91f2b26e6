/** base64url without padding (RFC 4648, section 5), in Node and the browser. */
export function toBase64Url(bytes: Uint8Array): string {
  if (typeof Buffer !== 'undefined')
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64url')
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/** The inverse; throws a RangeError for other characters. */
export function fromBase64Url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*=*$/.test(text)) throw new RangeError('not base64url')
  if (typeof Buffer !== 'undefined') return new Uint8Array(Buffer.from(text, 'base64url'))
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/').replaceAll('=', '')), (c) =>
    c.charCodeAt(0),
  )
}

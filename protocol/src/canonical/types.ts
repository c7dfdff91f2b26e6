/**
 * Texts of an HTTP message are byte strings as received. In JavaScript each is a string whose characters are those bytes
 * (latin1, as Node's parser gives them).
 */
export type HeaderField = readonly [name: string, value: string]

/** The request as it is hashed and as the handler sees it (protocol.md, `inputHash`). */
export interface CanonicalRequest {
  /** Upper case as received. */
  method: string
  /** Host header; empty for `public` services. */
  host: string
  /** RFC 5952 or dotted text; empty for `public` services. */
  sourceAddress: string
  /** Starts with the slash after the project; percent-encoding as received. */
  path: string
  /** Raw query without `?`; empty if there is none. */
  query: string
  /** Lower-case names, sorted by name, repeated ones kept apart in order. */
  headers: HeaderField[]
  body: Uint8Array
}

/** The response as the harness hands it out, before a gateway adds to it (protocol.md, `resultHash`). */
export interface CanonicalResponse {
  httpStatus: number
  headers: HeaderField[]
  body: Uint8Array
}

import { fromBase64Url, toBase64Url } from '../base64url.ts'
import { PeerHostError } from '../errors/peerhost-error.ts'
import { type Hex, isHex } from '../hex.ts'
import { messageFromJson, messageToJson } from '../messages/json.ts'
import type { Acceptance, Assignment, Receipt, Request } from '../messages/types.ts'

/** All that a caller gets about one answer: the content of `PEERHOST-RECEIPT` (architecture.md, response headers). */
export interface SignedReceipt {
  request: Request
  assignment: Assignment & { signature: Hex }
  receipt: Receipt & { signature: Hex }
  acceptance: Acceptance & { signature: Hex }
  salt: Hex
  /** Bytes behind inputHash; absent if the header would pass 8 KB. */
  input?: Uint8Array
  /** Bytes behind resultHash. */
  output: Uint8Array
}

/** Header size above which `input` is left out. */
export const MAX_RECEIPT_HEADER = 8192

/** The JSON of a signed receipt, as in the header and in saved files. */
export function receiptToJson({
  request,
  assignment,
  receipt,
  acceptance,
  salt,
  input,
  output,
}: SignedReceipt): Record<string, unknown> {
  return {
    request: messageToJson('Request', request),
    assignment: { ...messageToJson('Assignment', assignment), signature: assignment.signature },
    receipt: { ...messageToJson('Receipt', receipt), signature: receipt.signature },
    acceptance: { ...messageToJson('Acceptance', acceptance), signature: acceptance.signature },
    salt,
    ...(input && { input: toBase64Url(input) }),
    output: toBase64Url(output),
  }
}

/** The value of `PEERHOST-RECEIPT`. */
export function encodeReceiptHeader(receipt: SignedReceipt): string {
  const encode = (value: SignedReceipt) => toBase64Url(new TextEncoder().encode(JSON.stringify(receiptToJson(value))))
  const header = encode(receipt)
  return header.length <= MAX_RECEIPT_HEADER ? header : encode({ ...receipt, input: undefined })
}

const invalid = (detail: string) => new PeerHostError('PH_RECEIPT_INVALID', { detail })

function readSigned<T>(read: T, json: unknown): T & { signature: Hex } {
  const signature = (json as { signature?: unknown }).signature
  if (!isHex(signature, 65)) throw invalid('a signature has not 65 bytes')
  return { ...read, signature: signature.toLowerCase() as Hex }
}

/** Reads a signed receipt's JSON from anywhere; throws PH_RECEIPT_INVALID. */
export function receiptFromJson(value: unknown): SignedReceipt {
  const json = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  const bytes = (name: string): Uint8Array => {
    try {
      return fromBase64Url(json[name] as string)
    } catch {
      throw invalid(`${name} is not base64url`)
    }
  }
  if (!isHex(json.salt, 32)) throw invalid('the salt has not 32 bytes')
  return {
    request: messageFromJson('Request', json.request),
    assignment: readSigned(messageFromJson('Assignment', json.assignment), json.assignment),
    receipt: readSigned(messageFromJson('Receipt', json.receipt), json.receipt),
    acceptance: readSigned(messageFromJson('Acceptance', json.acceptance), json.acceptance),
    salt: json.salt,
    input: typeof json.input === 'string' ? bytes('input') : undefined,
    output: bytes('output'),
  }
}

/** Reads the value of `PEERHOST-RECEIPT`; throws PH_RECEIPT_INVALID. */
export function decodeReceiptHeader(header: string): SignedReceipt {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder().decode(fromBase64Url(header.trim())))
  } catch {
    throw invalid('it is not base64url JSON')
  }
  return receiptFromJson(value)
}

import { PeerHostError } from '../errors/peerhost-error.ts'
import { type Hex, isHex } from '../hex.ts'
import { type FieldType, MESSAGE_FIELDS, type MessageTypes } from './types.ts'

const BITS: Partial<Record<FieldType, number>> = { uint8: 8, uint32: 32, uint64: 64, uint128: 128 }

function readField(type: FieldType, value: unknown): unknown {
  if (type === 'bytes32' && isHex(value, 32)) return value.toLowerCase()
  if (type === 'address' && isHex(value, 20)) return value.toLowerCase()
  if (type === 'string' && typeof value === 'string' && value.length <= 8192) return value
  const bits = BITS[type]
  if (bits !== undefined && typeof value === 'string' && /^(0|[1-9][0-9]{0,38})$/.test(value)) {
    const integer = BigInt(value)
    if (integer >> BigInt(bits) === 0n) return bits <= 32 ? Number(integer) : integer
  }
  return undefined
}

/** A message as JSON: its fields, integers as decimal strings. */
export type MessageJson = Record<string, string>

/** Writes a message for JSON; the inverse of `messageFromJson`. */
export function messageToJson<T extends keyof MessageTypes>(type: T, message: MessageTypes[T]): MessageJson {
  const source = message as unknown as Record<string, unknown>
  return Object.fromEntries(MESSAGE_FIELDS[type].map(({ name }) => [name, String(source[name])]))
}

/** Reads a message that somebody sent; throws PH_RECEIPT_INVALID where a field is missing or of another type. */
export function messageFromJson<T extends keyof MessageTypes>(type: T, json: unknown): MessageTypes[T] {
  const source = (typeof json === 'object' && json !== null ? json : {}) as Record<string, unknown>
  const message: Record<string, unknown> = {}
  for (const { name, type: fieldType } of MESSAGE_FIELDS[type]) {
    const value = Object.hasOwn(source, name) ? readField(fieldType, source[name]) : undefined
    if (value === undefined)
      throw new PeerHostError('PH_RECEIPT_INVALID', { detail: `${type}.${name} is not a ${fieldType}` })
    message[name] = value
  }
  return message as unknown as MessageTypes[T]
}

/** A message's fields as an array in order, for CBOR: bytes for hashes and addresses, integers for numbers. */
export function messageToArray<T extends keyof MessageTypes>(
  type: T,
  message: MessageTypes[T],
  bytes: (hex: Hex) => Uint8Array,
): unknown[] {
  const source = message as unknown as Record<string, unknown>
  return MESSAGE_FIELDS[type].map(({ name, type: fieldType }) =>
    fieldType === 'bytes32' || fieldType === 'address' ? bytes(source[name] as Hex) : source[name],
  )
}

/** Reads what `messageToArray` wrote, as it comes out of a CBOR decoder; throws PH_RECEIPT_INVALID. */
export function messageFromArray<T extends keyof MessageTypes>(
  type: T,
  array: unknown,
  hex: (bytes: Uint8Array) => Hex,
): MessageTypes[T] {
  const list = MESSAGE_FIELDS[type]
  if (!Array.isArray(array) || array.length !== list.length) {
    throw new PeerHostError('PH_RECEIPT_INVALID', { detail: `${type} has not ${list.length} fields` })
  }
  const json: Record<string, string> = {}
  list.forEach(({ name, type: fieldType }, index) => {
    const value: unknown = array[index]
    const isBytes = fieldType === 'bytes32' || fieldType === 'address'
    json[name] = isBytes && value instanceof Uint8Array ? hex(value) : isBytes ? '' : String(value)
  })
  return messageFromJson(type, json)
}

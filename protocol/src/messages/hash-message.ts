import { type Hex, toHex } from '../hex.ts'
import { keccakBytes } from '../keccak.ts'
import { type Domain, type Field, MESSAGE_FIELDS, type MessageTypes } from './types.ts'
import { writeWord } from './word.ts'

const utf8 = new TextEncoder()
const hashText = (text: string) => keccakBytes(utf8.encode(text))

const typeHashes = Object.fromEntries(
  Object.entries(MESSAGE_FIELDS).map(([name, list]) => [
    name,
    hashText(`${name}(${list.map(({ type, name }) => `${type} ${name}`).join(',')})`),
  ]),
) as Record<keyof MessageTypes, Uint8Array>

const DOMAIN_TYPE_HASH = hashText('EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)')
const NAME_HASH = hashText('PeerHost')
const VERSION_HASH = hashText('1')

const domains = new Map<string, Uint8Array>()

function domainSeparator({ chainId, verifyingContract }: Domain): Uint8Array {
  const key = `${chainId}:${verifyingContract}`
  let separator = domains.get(key)
  if (!separator) {
    const words = new Uint8Array(160)
    words.set(DOMAIN_TYPE_HASH, 0)
    words.set(NAME_HASH, 32)
    words.set(VERSION_HASH, 64)
    writeWord(words, 96, 'uint64', chainId)
    writeWord(words, 128, 'address', verifyingContract)
    separator = keccakBytes(words)
    if (domains.size > 100) domains.clear()
    domains.set(key, separator)
  }
  return separator
}

function hashStruct(name: keyof MessageTypes, message: Record<string, unknown>): Uint8Array {
  const list: Field[] = MESSAGE_FIELDS[name]
  const words = new Uint8Array(32 * (list.length + 1))
  words.set(typeHashes[name], 0)
  list.forEach(({ name: field, type }, index) => {
    const value = message[field]
    const at = 32 * (index + 1)
    if (type === 'string') words.set(hashText(value as string), at)
    else writeWord(words, at, type, value as string)
  })
  return keccakBytes(words)
}

/**
 * The EIP-712 digest of a message: what is signed, and its name everywhere (`requestHash`, `assignmentHash`,
 * `receiptHash`). Throws a RangeError where a field does not fit its type.
 *
 * @example hashMessage(domain, 'Request', request)
 */
export function hashMessage<T extends keyof MessageTypes>(domain: Domain, type: T, message: MessageTypes[T]): Hex {
  const bytes = new Uint8Array(66)
  bytes[0] = 0x19
  bytes[1] = 0x01
  bytes.set(domainSeparator(domain), 2)
  bytes.set(hashStruct(type, message as unknown as Record<string, unknown>), 34)
  return toHex(keccakBytes(bytes))
}

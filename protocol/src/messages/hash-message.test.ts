import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { TypedDataEncoder } from 'ethers'
import {
  fromHex,
  type Hex,
  hashMessage,
  type MessageTypes,
  messageFromArray,
  messageFromJson,
  messageToArray,
  messageToJson,
  toHex,
} from '../index.ts'
import { createSigner, recover, signingBackend } from '../native.ts'
import { createPureSigner, recoverPure } from '../signing/pure.ts'
import { MESSAGE_FIELDS } from './types.ts'

const { domain, signer, vectors } = JSON.parse(
  readFileSync(new URL('../../vectors/messages.json', import.meta.url), 'utf8'),
) as {
  domain: { chainId: number; verifyingContract: Hex }
  signer: Hex
  vectors: { type: keyof MessageTypes; message: unknown; digest: Hex; signature: Hex }[]
}
const KEY: Hex = `0x${'5a'.repeat(32)}`

test('digests are those of the committed vectors, and of ethers', () => {
  for (const { type, message, digest } of vectors) {
    const read = messageFromJson(type, message)
    assert.equal(hashMessage(domain, type, read), digest)
    const independent = TypedDataEncoder.hash(
      { name: 'PeerHost', version: '1', ...domain },
      { [type]: MESSAGE_FIELDS[type] },
      read,
    )
    assert.equal(independent, digest)
  }
  assert.deepEqual(new Set(vectors.map(({ type }) => type)), new Set(Object.keys(MESSAGE_FIELDS)))
})

test('a message comes back from JSON and from an array as it went in', () => {
  for (const { type, message } of vectors) {
    const read = messageFromJson(type, message)
    assert.deepEqual(messageToJson(type, read), message)
    assert.deepEqual(messageFromArray(type, messageToArray(type, read, fromHex), toHex), read)
  }
})

test('a field that is missing, of another type or too large is refused', () => {
  const { message } = vectors.find(({ type }) => type === 'Request')!
  const bad: Record<string, unknown>[] = [
    { version: '4294967296' },
    { version: 1 },
    { version: '01' },
    { version: '-1' },
    { payer: '0x00' },
    { nonce: `0x${'zz'.repeat(32)}` },
    { maxPrice: String(2n ** 128n) },
    { clockMs: undefined },
  ]
  for (const change of bad)
    assert.throws(
      () => messageFromJson('Request', { ...(message as object), ...change }),
      { code: 'PH_RECEIPT_INVALID' },
      JSON.stringify(change),
    )
  for (const notAMessage of [null, 3, 'x', [], {}])
    assert.throws(() => messageFromJson('Request', notAMessage), { code: 'PH_RECEIPT_INVALID' })
  assert.throws(() => messageFromArray('Acceptance', [new Uint8Array(32)], toHex), { code: 'PH_RECEIPT_INVALID' })
})

test('native and pure signatures are the same, and recover to their key', () => {
  assert.equal(signingBackend(), 'native')
  const native = createSigner(KEY),
    pure = createPureSigner(KEY)
  assert.equal(native.address, pure.address)
  for (const { digest, signature } of vectors) {
    assert.equal(native.sign(digest), pure.sign(digest))
    assert.equal(recover(digest, native.sign(digest)), native.address)
    assert.equal(recoverPure(digest, native.sign(digest)), native.address)
    assert.equal(recover(digest, signature), signer)
    assert.equal(native.salt(digest), pure.salt(digest))
  }
})

test('malleable, malformed and foreign signatures recover to nobody', () => {
  const { sign } = createSigner(KEY)
  const digest = vectors[0]!.digest
  const signature = sign(digest)
  const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n
  const highS = (order - BigInt(`0x${signature.slice(66, 130)}`)).toString(16).padStart(64, '0')
  const flipped = signature.endsWith('1b') ? '1c' : '1b'
  const bad = [
    `${signature.slice(0, 66)}${highS}${flipped}`,
    signature.slice(0, 130),
    `${signature.slice(0, 130)}00`,
    `${signature}00`,
    '0x',
    `0x${'00'.repeat(65)}`,
    `0x${'ff'.repeat(64)}1b`,
  ] as Hex[]
  for (const one of bad) {
    assert.equal(recover(digest, one), undefined, one)
    assert.equal(recoverPure(digest, one), undefined, one)
  }
})

test('a key that is none is refused without being shown', () => {
  for (const key of ['', '0x12', `0x${'00'.repeat(32)}`, `0x${'ff'.repeat(32)}`, 'secret'.repeat(12)]) {
    assert.throws(
      () => createSigner(key),
      (error: Error & { code: string }) =>
        error.code === 'PH_CONFIG_KEY_INVALID' && (key === '' || !error.message.includes(key)),
    )
  }
})

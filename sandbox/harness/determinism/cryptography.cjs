'use strict'
// Every source of randomness that a handler can reach, from the seeded generator. The real function is called first
// where it checks arguments and makes the result's shape; its random bytes are then overwritten. What draws randomness
// inside OpenSSL, where no seed reaches, is refused rather than left to differ.

const crypto = require('node:crypto')
const tls = require('node:tls')
const { promisify } = require('node:util')
const { drawIntegersBy, originalInt: realRandomInt } = require('../randomness.cjs')
const clock = require('./clock.cjs')
const { fill, random, below } = require('./generator.cjs')
const { replace, refuse, NotDeterministicError } = require('./replace.cjs')
const { setImmediate } = require('./timers.cjs')

const { apply } = Reflect
const { createPrivateKey, createPublicKey, createSecretKey, KeyObject, constants } = crypto
const { subtle } = crypto.webcrypto

const bytesOf = (data) =>
  ArrayBuffer.isView(data) ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength) : new Uint8Array(data)

function drawn(size) {
  const bytes = Buffer.alloc(size)
  fill(bytes, 0, size)
  return bytes
}

/** The callback form of a function that has already done its work. */
const later = (callback, ...results) => setImmediate(callback, ...results)

// ---- bytes and integers

const { randomBytes: realRandomBytes, randomFillSync: realRandomFillSync } = crypto

function randomBytes(size, callback) {
  if (callback !== undefined && typeof callback !== 'function') return realRandomBytes(size, callback) // throws
  const bytes = realRandomBytes(size)
  fill(bytes, 0, bytes.length)
  if (callback === undefined) return bytes
  later(callback, null, bytes)
}

function randomFillSync(data, offset = 0, size) {
  realRandomFillSync(data, offset, size)
  const bytes = bytesOf(data)
  const unit = data.BYTES_PER_ELEMENT ?? 1
  const start = offset * unit
  fill(bytes, start, size === undefined ? bytes.length : start + size * unit)
  return data
}

function randomFill(data, ...rest) {
  const callback = rest.pop()
  if (typeof callback !== 'function') return crypto.randomFill.real(data, ...rest, callback) // throws
  randomFillSync(data, ...rest)
  later(callback, null, data)
}
randomFill.real = crypto.randomFill

function randomInt(min, max, callback) {
  if (max === undefined || typeof max === 'function') {
    callback = max
    max = min
    min = 0
  }
  if (callback !== undefined && typeof callback !== 'function') return realRandomInt(min, max, callback) // throws
  realRandomInt(min, max)
  const integer = min + below(max - min)
  if (callback === undefined) return integer
  later(callback, undefined, integer)
}

function uuidOf(bytes, version) {
  bytes[6] = (bytes[6] & 0x0f) | (version << 4)
  bytes[8] = (bytes[8] & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

const randomUUID = () => uuidOf(drawn(16), 4)

function randomUUIDv7() {
  const bytes = drawn(16)
  bytes.writeUIntBE(clock.now(), 0, 6)
  return uuidOf(bytes, 7)
}

function installNumbers() {
  replace(Math, 'random', random)
  replace(crypto, 'randomBytes', randomBytes)
  replace(crypto, 'randomFillSync', randomFillSync)
  replace(crypto, 'randomFill', randomFill)
  replace(crypto, 'randomInt', randomInt)
  drawIntegersBy(randomInt)
  replace(crypto, 'randomUUID', randomUUID)
  replace(crypto, 'randomUUIDv7', randomUUIDv7)
  for (const alias of ['pseudoRandomBytes', 'prng', 'rng']) replace(crypto, alias, randomBytes)

  const web = Crypto.prototype
  const { getRandomValues } = web
  replace(web, 'getRandomValues', function (array) {
    apply(getRandomValues, this, [array])
    fill(bytesOf(array), 0, array.byteLength)
    return array
  })
  replace(web, 'randomUUID', randomUUID)
}

// ---- keys

const { generateKeySync: realGenerateKeySync } = crypto

/** Symmetric keys are random bytes; of asymmetric ones only those whose private key is 32 bytes of any value. */
function generateKeySync(type, options) {
  return createSecretKey(drawn(realGenerateKeySync(type, options).symmetricKeySize))
}

function generateKey(type, options, callback) {
  const key = generateKeySync(type, options)
  later(callback, undefined, key)
}

/** PKCS #8 (RFC 8410) of a private key, up to its 32 bytes. */
const PKCS8_HEAD = {
  __proto__: null,
  ed25519: Buffer.from('302e020100300506032b657004220420', 'hex'),
  x25519: Buffer.from('302e020100300506032b656e04220420', 'hex'),
}

const SAMPLE_KEY = Buffer.concat([PKCS8_HEAD.ed25519, Buffer.alloc(32)])

function generateKeyPairSync(type, options = {}) {
  const head = PKCS8_HEAD[type]
  if (head === undefined) throw new NotDeterministicError(`crypto.generateKeyPair('${type}')`)
  const key = Buffer.concat([head, drawn(32)])
  const privateKey = createPrivateKey({ key, format: 'der', type: 'pkcs8' })
  const publicKey = createPublicKey(privateKey)
  const encoded = (object, encoding) => (encoding === undefined ? object : object.export(encoding))
  return {
    publicKey: encoded(publicKey, options.publicKeyEncoding),
    privateKey: encoded(privateKey, options.privateKeyEncoding),
  }
}

function generateKeyPair(type, options, callback) {
  if (typeof options === 'function') return generateKeyPair(type, {}, options)
  const { publicKey, privateKey } = generateKeyPairSync(type, options)
  later(callback, null, publicKey, privateKey)
}
Object.defineProperty(generateKeyPair, promisify.custom, {
  value: async (type, options) => generateKeyPairSync(type, options),
})

const SYMMETRIC = ['AES-CBC', 'AES-CTR', 'AES-GCM', 'AES-KW', 'AES-OCB', 'HMAC']
const algorithmName = (algorithm) => String(algorithm?.name ?? algorithm).toUpperCase()

async function subtleGenerateKey(algorithm, extractable, usages) {
  const name = algorithmName(algorithm)
  if (SYMMETRIC.includes(name)) {
    const sample = await apply(realSubtle.generateKey, subtle, [algorithm, extractable, usages])
    const bytes = drawn(KeyObject.from(sample).symmetricKeySize)
    const imported = name === 'HMAC' ? { name, hash: sample.algorithm.hash, length: sample.algorithm.length } : { name }
    return subtle.importKey(name === 'AES-OCB' ? 'raw-secret' : 'raw', bytes, imported, extractable, usages)
  }
  const type = name.toLowerCase()
  if (PKCS8_HEAD[type] === undefined) throw new NotDeterministicError(`crypto.subtle.generateKey('${name}')`)
  const pair = generateKeyPairSync(type)
  const forPrivate = usages.filter((usage) => usage !== 'verify')
  const forPublic = usages.filter((usage) => usage === 'verify')
  const imported = (key, use, canLeave) => key.toCryptoKey({ name: algorithm.name ?? algorithm }, canLeave, use)
  return {
    publicKey: imported(pair.publicKey, forPublic, true),
    privateKey: imported(pair.privateKey, forPrivate, extractable),
  }
}

const realSubtle = { ...Object.getOwnPropertyDescriptors(SubtleCrypto.prototype) }
for (const name of Object.keys(realSubtle)) realSubtle[name] = realSubtle[name].value

function installKeys() {
  replace(crypto, 'generateKeySync', generateKeySync)
  replace(crypto, 'generateKey', generateKey)
  replace(crypto, 'generateKeyPairSync', generateKeyPairSync)
  replace(crypto, 'generateKeyPair', generateKeyPair)
  replace(SubtleCrypto.prototype, 'generateKey', subtleGenerateKey)
  refuse(crypto, 'generatePrime', 'crypto.generatePrime')
  refuse(crypto, 'generatePrimeSync', 'crypto.generatePrime')
  refuse(crypto.ECDH.prototype, 'generateKeys', 'ECDH.generateKeys')
  refuse(crypto.DiffieHellman.prototype, 'generateKeys', 'DiffieHellman.generateKeys')
  refuse(crypto.DiffieHellmanGroup.prototype, 'generateKeys', 'DiffieHellmanGroup.generateKeys')
  const { createDiffieHellman } = crypto
  replace(crypto, 'createDiffieHellman', (prime, ...rest) => {
    if (typeof prime === 'number') throw new NotDeterministicError('crypto.createDiffieHellman with a new prime')
    return createDiffieHellman(prime, ...rest)
  })
}

// ---- signatures and encryption

const isPss = (padding, saltLength) => padding === constants.RSA_PKCS1_PSS_PADDING && saltLength !== 0

/** Only RSA's older padding and the Edwards curves sign the same message twice with the same bytes. */
function checkSigningKey(key) {
  const given = key instanceof KeyObject ? key : key?.key instanceof KeyObject ? key.key : undefined
  const type = (given ?? createPrivateKey(key)).asymmetricKeyType
  const plain = type === 'ed25519' || type === 'ed448' || (type === 'rsa' && !isPss(key?.padding, key?.saltLength))
  if (!plain && type !== undefined) throw new NotDeterministicError(`A signature with a key of type ${type}`)
}

function installOperations() {
  const { sign, publicEncrypt } = crypto
  replace(crypto, 'sign', (algorithm, data, key, callback) => {
    checkSigningKey(key)
    return sign(algorithm, data, key, callback)
  })
  const { sign: signObject } = crypto.Sign.prototype
  replace(crypto.Sign.prototype, 'sign', function (key, encoding) {
    checkSigningKey(key)
    return apply(signObject, this, [key, encoding])
  })
  replace(crypto, 'publicEncrypt', (key, data) => {
    if (key?.padding !== constants.RSA_NO_PADDING) throw new NotDeterministicError('crypto.publicEncrypt')
    return publicEncrypt(key, data)
  })
  refuse(crypto, 'encapsulate', 'crypto.encapsulate')

  // Salt and initialisation vector of an encrypted key are drawn inside OpenSSL.
  const privateKeys = Object.getPrototypeOf(createPrivateKey({ key: SAMPLE_KEY, format: 'der', type: 'pkcs8' }))
  const { export: exportKey } = privateKeys
  replace(privateKeys, 'export', function (options) {
    if (options?.cipher !== undefined) throw new NotDeterministicError('KeyObject.export with a cipher')
    return apply(exportKey, this, [options])
  })

  const RANDOM_WITHIN = {
    sign: (name) => !['HMAC', 'ED25519', 'ED448', 'RSASSA-PKCS1-V1_5', 'KMAC128', 'KMAC256'].includes(name),
    encrypt: (name) => name === 'RSA-OAEP',
  }
  for (const operation of Object.keys(RANDOM_WITHIN)) {
    replace(SubtleCrypto.prototype, operation, async function (algorithm, ...rest) {
      const name = algorithmName(algorithm)
      if (RANDOM_WITHIN[operation](name)) throw new NotDeterministicError(`crypto.subtle.${operation}('${name}')`)
      return apply(realSubtle[operation], this, [algorithm, ...rest])
    })
  }
  replace(SubtleCrypto.prototype, 'wrapKey', async function (format, key, wrappingKey, algorithm) {
    const name = algorithmName(algorithm)
    if (name === 'RSA-OAEP') throw new NotDeterministicError(`crypto.subtle.wrapKey('${name}')`)
    return apply(realSubtle.wrapKey, this, [format, key, wrappingKey, algorithm])
  })
  for (const operation of ['encapsulateKey', 'encapsulateBits']) {
    refuse(SubtleCrypto.prototype, operation, `crypto.subtle.${operation}`)
  }
}

// ---- TLS: everything a handshake makes is drawn inside OpenSSL; only what would show it is refused

const HANDSHAKE = ['getFinished', 'getPeerFinished', 'getSession', 'getTLSTicket', 'exportKeyingMaterial']

function installTls() {
  refuse(tls.Server.prototype, 'getTicketKeys', 'tls.Server.getTicketKeys')
  for (const name of HANDSHAKE) refuse(tls.TLSSocket.prototype, name, `tls.TLSSocket.${name}`)
}

function install() {
  installNumbers()
  installKeys()
  installOperations()
  installTls()
}

module.exports = { install }

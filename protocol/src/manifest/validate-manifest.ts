import { sha256 } from '@noble/hashes/sha2.js'
import { Ajv } from 'ajv'
import { CHUNK_SIZE } from '../cid.ts'
import { PeerHostError } from '../errors/peerhost-error.ts'
import { type Hex, toHex } from '../hex.ts'
import { canonicalJson } from './canonical-json.ts'
import { MANIFEST_SCHEMA } from './schema.ts'
import type { Manifest } from './types.ts'

let compiled: ReturnType<Ajv['compile']> | undefined
const validator = () => (compiled ??= new Ajv({ allErrors: false, strict: true }).compile(MANIFEST_SCHEMA))

const invalid = (detail: string) => new PeerHostError('PH_MANIFEST_INVALID', { detail })

/** Throws PH_MANIFEST_INVALID, naming the first thing that is wrong. */
export function validateManifest(value: unknown): Manifest {
  const validate = validator()
  if (!validate(value)) {
    const { instancePath, message } = validate.errors![0]!
    throw invalid(`${instancePath || 'it'} ${message}`)
  }
  const manifest = value as unknown as Manifest
  const names = new Set(manifest.functions.map(({ name }) => name))
  if (names.size !== manifest.functions.length) throw invalid('two functions have the same name')
  return manifest
}

/** A manifest's bytes: canonical JSON in UTF-8, at most 1 MiB, so that its digest is its raw CID. */
export function encodeManifest(manifest: Manifest): { bytes: Uint8Array; digest: Hex } {
  const bytes = new TextEncoder().encode(canonicalJson(validateManifest(manifest)))
  if (bytes.length > CHUNK_SIZE) throw invalid(`it has ${bytes.length} bytes, more than ${CHUNK_SIZE}`)
  return { bytes, digest: toHex(sha256(bytes)) }
}

/** Reads the bytes that lie under a manifest's digest; throws PH_MANIFEST_INVALID. */
export function decodeManifest(bytes: Uint8Array): Manifest {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw invalid('it is not JSON')
  }
  return validateManifest(value)
}

/** sha-256 of bytes: a code digest, a manifest digest. */
export const sha256Hex = (bytes: Uint8Array): Hex => toHex(sha256(bytes))

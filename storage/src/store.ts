/** Largest file that is read or stored unless the caller says otherwise, in bytes. */
export const DEFAULT_MAX_BYTES = 64 * 1024 * 1024
/** Largest block that is accepted, in bytes: what IPFS nodes exchange at most. */
export const MAX_BLOCK_BYTES = 2 * 1024 * 1024

export interface Block {
  /** CIDv1 in base32. */
  cid: string
  bytes: Uint8Array
}

/** A file cut into blocks, root first, each block once. */
export interface ImportedFile {
  /** CIDv1 of the root, profile unixfs-v1-2025. */
  cid: string
  /** Bytes of the file. */
  size: number
  blocks: Block[]
}

export interface ReadOptions {
  /** Bytes of the file; more is PH_STORE_TOO_LARGE. Default: DEFAULT_MAX_BYTES. */
  maxBytes?: number
  signal?: AbortSignal
}

/** A place to read content from; whatever it hands out is checked against the CID. */
export interface Source {
  /** For messages: the address, never a credential. */
  readonly name: string
  /** The whole file. Throws PH_STORE_NOT_FOUND, PH_STORE_BLOCK_INVALID, PH_STORE_DAG_INVALID, PH_STORE_TOO_LARGE, PH_STORE_UNREACHABLE. */
  get(cid: string, options?: ReadOptions): Promise<Uint8Array>
  /** One block. */
  getBlock(cid: string, options?: ReadOptions): Promise<Uint8Array>
}

/** Content-addressed storage. Everything written and read is verified. */
export interface Store extends Source {
  /** Stores a file; when it resolves, the file survives a power cut (embedded) or is pinned (kubo, Pinata). */
  put(file: ImportedFile, options?: { signal?: AbortSignal }): Promise<void>
  /** True if the block with this CID is here; says nothing of what it links to. */
  has(cid: string, options?: ReadOptions): Promise<boolean>
  /** CARv1 of the file in depth-first order, each block once. */
  car(cid: string, options?: ReadOptions): AsyncIterable<Uint8Array>
  close(): Promise<void>
}

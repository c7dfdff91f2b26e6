export * from './canonical/types.ts'
export * from './hex.ts'
export * from './manifest/types.ts'

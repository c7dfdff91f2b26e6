export { blockCar, readCar, toCar } from './car.ts'
export { type EmbeddedOptions, EmbeddedStore } from './drivers/embedded.ts'
export { type ImportOptions, importBytes } from './import-bytes.ts'
export * from './store.ts'

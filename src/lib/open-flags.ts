/** Linux's O_PATH, which Node does not name: a descriptor that only stands for a place in the tree. */
export const openPath = 0o10000000;

/**
 * Names and logins are one where they differ only by case or by Unicode form: the key that the
 * unique indexes hold is made here and nowhere else. It is made by us and not by the database,
 * whose lower() depends on the locale that it was created with.
 */
export function nameKey(name: string): string {
  // No name is nearly so long. The time to normalize grows with the square of the length, where marks follow one another.
  if (name.length > normalized_max_length) return name;
  // Up and down again, because ß and SS, or the three sigmas, meet only in capitals; down first, because ẞ is one.
  return name.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().normalize('NFKC');
}

const normalized_max_length = 2_400;

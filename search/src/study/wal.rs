//! SQLite's write-ahead log, as studies of the schema before have one beside them.
//!
//! SQLite takes the first frame that is not as it should be for the end of the log, and forgets what follows. Here such a frame is
//! an error, and every other one can still be had. The format: <https://www.sqlite.org/fileformat2.html#walformat>.

/// Bytes of the log's header and of a frame's.
const HEADER: usize = 32;
const FRAME: usize = 24;

/// A log taken apart.
struct Wal<'a> {
    bytes: &'a [u8],
    page: usize,
    big_endian: bool,
    salts: [u8; 8],
    is_header_whole: bool,
}

/// One frame: a page of the database.
struct Frame<'a> {
    header: &'a [u8],
    page: &'a [u8],
    /// Of this log, not of an earlier one that it overwrites.
    is_present: bool,
    is_whole: bool,
}

impl Frame<'_> {
    fn number(&self) -> usize {
        be32(self.header, 0) as usize
    }

    /// Pages of the database after a commit; 0 if the frame is not the last one of a commit.
    fn commit(&self) -> u32 {
        be32(self.header, 4)
    }
}

impl<'a> Wal<'a> {
    /// `page` is the size of a page, if the header does not know it.
    fn new(bytes: &'a [u8], page: usize) -> Option<Self> {
        let header = bytes.get(..HEADER)?;
        let own = be32(header, 8) as usize;
        let whole = |big_endian| {
            let [one, other] = sum(&header[..24], [0, 0], big_endian);
            [one, other] == [be32(header, 24), be32(header, 28)]
                && be32(header, 0) == 0x377f_0682 + u32::from(big_endian)
        };
        let big_endian = whole(true);
        let is_header_whole = big_endian || whole(false);
        let page = if is_header_whole { own } else { page };
        if !page.is_power_of_two() || !(512..=65_536).contains(&page) {
            return None;
        }
        // A header that is damaged may have lost its salts; the first frame has them too.
        let salts = if is_header_whole { &header[16..24] } else { bytes.get(HEADER + 8..HEADER + 16)? };
        Some(Self { bytes, page, big_endian, salts: salts.try_into().ok()?, is_header_whole })
    }

    fn frames(&self) -> Vec<Frame<'a>> {
        let stored = |bytes: &[u8], at| [be32(bytes, at), be32(bytes, at + 4)];
        // Each checksum goes on from the one before it.
        let mut before = stored(self.bytes, 24);
        if !self.is_header_whole {
            before = sum(&self.bytes[..24], [0, 0], self.big_endian);
        }
        let alternative = stored(self.bytes, 24);
        let mut frames = Vec::new();
        for (index, bytes) in self.bytes[HEADER..].chunks_exact(FRAME + self.page).enumerate() {
            let (header, page) = bytes.split_at(FRAME);
            let whole = |seed| {
                sum(page, sum(&header[..8], seed, self.big_endian), self.big_endian) == stored(header, 16)
            };
            let follows = whole(before) || (index == 0 && whole(alternative));
            let same_salts = header[8..16] == self.salts;
            let last_present = frames.last().is_none_or(|frame: &Frame<'_>| frame.is_present);
            frames.push(Frame {
                header,
                page,
                // The checksum does not cover the salts.
                is_present: same_salts || (follows && last_present),
                is_whole: follows && same_salts,
            });
            before = stored(header, 16);
        }
        frames
    }
}

/// What is wrong with a log; `None` of one that is whole, or empty. What a process left unfinished at its end is no damage.
pub(super) fn problem(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return None;
    }
    let Some(wal) = Wal::new(bytes, 4_096) else { return Some("its header is damaged or cut off".into()) };
    if !wal.is_header_whole {
        return Some("its header is damaged".into());
    }
    let frames = wal.frames();
    let last = frames.iter().rposition(|frame| frame.is_present)?;
    let bad = frames[..=last].iter().position(|frame| !frame.is_whole)?;
    Some(format!("frame {bad} of {} is damaged", last + 1))
}

/// A database with everything that undamaged frames of its log say.
pub(super) fn replay(mut database: Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    let page =
        database.get(16..18).map_or(4_096, |bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    let Some(wal) = Wal::new(bytes, page.max(512)) else { return database };
    let frames = wal.frames();
    let whole = |frame: &&Frame<'_>| frame.is_present && frame.is_whole;
    let Some(last) = frames.iter().rposition(|frame| whole(&frame) && frame.commit() > 0) else {
        return database;
    };
    let pages = frames[last].commit() as usize;
    // No log names pages that it and the database together cannot hold.
    if pages > database.len() / wal.page + frames.len() {
        return database;
    }
    database.resize(database.len().max(pages * wal.page), 0);
    for frame in frames[..=last].iter().filter(whole) {
        if let Some(start) = frame.number().checked_sub(1).map(|index| index * wal.page)
            && let Some(target) = database.get_mut(start..start + wal.page)
        {
            target.copy_from_slice(frame.page);
        }
    }
    database
}

/// The checksum of SQLite's logs.
fn sum(bytes: &[u8], seed: [u32; 2], big_endian: bool) -> [u32; 2] {
    let word = |bytes: &[u8]| {
        let bytes: [u8; 4] = bytes.try_into().expect("chunks of four bytes");
        if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    bytes.chunks_exact(8).fold(seed, |[one, other], pair| {
        let one = one.wrapping_add(word(&pair[..4])).wrapping_add(other);
        [one, other.wrapping_add(word(&pair[4..])).wrapping_add(one)]
    })
}

fn be32(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

//! `star serve`, spoken to as a browser speaks to it, and as nobody should.

mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use image::{ExtendedColorType, ImageEncoder, RgbImage, codecs::jpeg::JpegEncoder};
use serde_json::Value;
use support::{Folder, text, with_layout_named};

const ASTRONAUT: &[u8] = include_bytes!("../../../docs/astronaut.jpg");
const SHIPPED: &[u8] = include_bytes!("../../../models/ibug68-small.safetensors");
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server; it ends with the test.
struct Server {
    child: EndsWithTest,
    address: SocketAddr,
    /// What it said before it was ready.
    said: String,
    _folder: Folder,
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        let text = text(&self.body);
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }

    /// Checks that it is refused in a way that a person understands.
    #[track_caller]
    fn refused(&self, status: u16, says: &str) {
        assert_eq!(self.status, status, "{}", text(&self.body));
        let message = self.json()["message"]
            .as_str()
            .expect("a message")
            .to_owned();
        assert!(message.contains(says), "`{message}` lacks `{says}`");
    }
}

impl Server {
    fn start(args: &[&str]) -> Self {
        Self::start_with(args, SHIPPED)
    }

    /// With these weights, under the name `w`.
    fn start_with(args: &[&str], weights: &[u8]) -> Self {
        let folder = Folder::new();
        folder.write("w", weights);
        let ours = ["serve", "--port", "0", "--weights", "w"];
        let mut child = folder
            .command(&[&ours[..], args].concat())
            .stdout(Stdio::piped())
            .spawn()
            .expect("star starts");
        let stdout = child.stdout.take();
        let child = EndsWithTest(child);
        let mut said = String::new();
        let mut lines = BufReader::new(stdout.expect("a pipe"));
        let address = loop {
            let before = said.len();
            let read = lines.read_line(&mut said).expect("lines");
            assert!(read > 0, "it ended, saying: {said}");
            if let Some((_, url)) = said[before..].split_once("http://") {
                let (address, _) = url.split_once('/').expect("a URL");
                break address.parse().expect("an address");
            }
        };
        Self {
            child,
            address,
            said,
            _folder: folder,
        }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream
    }

    /// Sends these bytes and reads all that comes.
    fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // It may hang up in the middle of what it will not have; its answer is what counts.
        let _ = stream.write_all(bytes);
        let mut all = Vec::new();
        stream.read_to_end(&mut all).expect("an answer");
        let end = all.windows(4).position(|w| w == b"\r\n\r\n");
        let body = all.split_off(end.expect("a head") + 4);
        let head = text(&all);
        let status = head[9..12].parse().expect("a status");
        Answer { status, head, body }
    }

    fn get(&self, path: &str) -> Answer {
        self.get_as(path, &self.address.to_string())
    }

    fn get_as(&self, path: &str, host: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        self.send(request.as_bytes())
    }

    fn post(&self, query: &str, body: &[u8]) -> Answer {
        self.post_with(query, "", body)
    }

    /// `headers` end with a line end each.
    fn post_with(&self, query: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!(
            "POST /api/predict{query} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat())
    }

    #[track_caller]
    fn still_works(&self) {
        let began = Instant::now();
        loop {
            let answer = self.post("?name=a.jpg", ASTRONAUT);
            match answer.status {
                // What it was busy with may still have to be noticed to be gone.
                503 if began.elapsed() < Duration::from_secs(5) => {
                    std::thread::sleep(Duration::from_millis(50));
                }
                status => return assert_eq!(status, 200, "{}", text(&answer.body)),
            }
        }
    }

    /// The most memory that it ever had, in MiB; None where the system does not tell.
    fn most_memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.0.id())).ok()?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
        Some(kib / 1024)
    }
}

/// A program that does not outlive its test, whatever becomes of that.
struct EndsWithTest(Child);

impl Drop for EndsWithTest {
    fn drop(&mut self) {
        // Nothing to do about a program that is gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_photo_gets_the_document_that_predict_writes() {
    let server = Server::start(&[]);
    assert!(server.said.contains("weights: w"), "{}", server.said);
    let answer = server.post("?name=face.jpg", ASTRONAUT);
    assert_eq!(answer.status, 200, "{}", text(&answer.body));
    let document = answer.json();
    assert_eq!(
        document["faces"][0]["points"].as_array().map(Vec::len),
        Some(68)
    );

    let folder = Folder::new();
    folder.write("w", SHIPPED);
    folder.write("face.jpg", ASTRONAUT);
    let predict = |args: &[&str], out: &str| {
        let ours = ["predict", "face.jpg", "--weights", "w", "--overlay", "none"];
        folder.succeed(&[&ours[..], &["--out", out], args].concat());
        std::fs::read(folder.join(&format!("{out}/face.json"))).expect("a document")
    };
    assert_eq!(text(&answer.body), text(&predict(&[], "a")));

    // A box instead of the detector, and a second pass.
    let asked = server.post("?name=face.jpg&box=170,60,100,110&passes=2", ASTRONAUT);
    let told = predict(&["--box", "170,60,100,110", "--passes", "2"], "b");
    assert_eq!(text(&asked.body), text(&told));
    assert!(asked.json()["faces"][0]["detected"].is_null());
    assert_ne!(asked.json()["faces"], document["faces"]);

    // Nobody there, and half a file: answers as well.
    let mut grey = Vec::new();
    RgbImage::from_pixel(90, 70, image::Rgb([120; 3]))
        .write_to(
            &mut std::io::Cursor::new(&mut grey),
            image::ImageFormat::Png,
        )
        .expect("an image");
    let none = server.post("", &grey);
    assert_eq!(
        (none.status, &none.json()["faces"]),
        (200, &Value::Array(vec![]))
    );
    assert!(!none.head.contains("star-truncated"));
    let cut = server.post("", &ASTRONAUT[..ASTRONAUT.len() / 2]);
    assert_eq!(cut.status, 200);
    assert!(cut.head.contains("star-truncated: yes"), "{}", cut.head);
}

#[test]
fn the_page_is_whole_and_asks_nobody_else() {
    let server = Server::start(&[]);
    let page = server.get("/");
    assert_eq!(page.status, 200);
    assert!(
        page.head
            .contains("content-security-policy: default-src 'none'; script-src 'self'")
    );
    assert!(page.head.contains("x-content-type-options: nosniff"));
    let html = text(&page.body);
    let mut files = vec!["/".to_owned(), "/astronaut.jpg".to_owned()];
    files.extend(
        html.split(['"', '\''])
            .filter(|part| part.starts_with('/') && part.len() > 1 && !part.contains([' ', '<']))
            .map(str::to_owned),
    );
    let mut checked = 0;
    while let Some(file) = files.pop() {
        let answer = server.get(&file);
        assert_eq!(answer.status, 200, "{file}");
        checked += 1;
        if file.ends_with(".jpg") {
            assert_eq!(answer.body, ASTRONAUT);
            continue;
        }
        let text = text(&answer.body);
        // The names of XML's dialects are no addresses.
        let strange = text.replace("http://www.w3.org/", "");
        for scheme in [
            "https://", "http://", "//cdn", "@import", "style=\"", "onclick=",
        ] {
            let found = strange.find(scheme).map(|at| &strange[at..]);
            let own = |t: &&str| !t.starts_with("http://127.0.0.1");
            assert_eq!(found.filter(own), None, "{file}");
        }
        files.extend(
            text.split("from \"./")
                .skip(1)
                .filter_map(|rest| rest.split('"').next())
                .map(|name| format!("/{name}"))
                .filter(|_| file == "/main.js"),
        );
    }
    assert!(checked >= 11, "{checked} files");

    let about = server.get("/api/about").json();
    assert_eq!(about["layout"], "ibug68");
    assert_eq!(about["edges"].as_array().map(Vec::len), Some(9));
    assert_eq!(about["most_bytes"], 25 << 20);
    server.get("/api/nothing").refused(404, "no such page");
    assert_eq!(server.get("/api/predict").status, 405);
}

#[test]
fn what_is_no_photo_is_refused_kindly() {
    let server = Server::start(&[]);
    let line = b"This is a long text and no image at all.\n";
    let words = line.repeat(20 * 1024 * 1024 / line.len());
    server.post("?name=holiday.jpg", &words).refused(
        422,
        "this file is no image that is read (JPEG, PNG, BMP, WebP): it looks like text",
    );
    server.post("", b"").refused(422, "empty");
    // 30 MB are too much, whether it says so before or not.
    let words = line.repeat(30 * 1000 * 1000 / line.len());
    server
        .post("?name=holiday.jpg", &words)
        .refused(413, "larger than 25 MiB");
    let mut chunked = format!(
        "POST /api/predict HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
        server.address,
        words.len()
    )
    .into_bytes();
    chunked.extend_from_slice(&words);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    server.send(&chunked).refused(413, "larger than 25 MiB");

    // 40,000 pixels a side: 1.6 thousand million. Refused by its header alone, at once.
    let began = Instant::now();
    server
        .post("?name=huge.png", &png_header(40_000, 40_000))
        .refused(422, "40000 x 40000 pixels");
    server
        .post("?name=huge.png", &png_header(12_000, 10_000))
        .refused(422, "which no photograph does");
    assert!(began.elapsed() < Duration::from_secs(2), "{began:?}");

    for (query, says) in [
        ("?box=1,2,3", "3 numbers"),
        ("?box=600,0,50,50", "outside the image"),
        ("?box=10,10,1e300,50", "far larger"),
        ("?box=10,10,1e-300,50", "smaller than 8 pixels"),
        ("?passes=9", "1 to 5"),
        ("?sigma=1", "unknown parameter `sigma`"),
        ("?box=%ff", ""),
    ] {
        server.post(query, ASTRONAUT).refused(400, says);
    }
    server.still_works();
    if let Some(most) = server.most_memory() {
        // 20 MiB of text, 30 more that were not kept, two images that were not made.
        assert!(most < 400, "{most} MiB");
    }
}

/// The beginning of a PNG of this size, with a right checksum: one bit a pixel.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut chunk = b"IHDR".to_vec();
    chunk.extend(width.to_be_bytes());
    chunk.extend(height.to_be_bytes());
    chunk.extend([1, 0, 0, 0, 0]);
    let sum = !chunk.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    });
    let mut file = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    file.extend(chunk);
    file.extend(sum.to_be_bytes());
    // Some pixels, so that it is not the end of the file that is refused.
    file.extend(b"\0\0\x04\0IDAT");
    file.extend([0; 1028]);
    file.extend(b"\0\0\0\0IEND\xaeB`\x82");
    file
}

#[test]
fn strangers_are_refused() {
    let server = Server::start(&[]);
    let port = server.address.port();
    // A name that somebody else gave to 127.0.0.1.
    for host in ["evil.example", &format!("evil.example:{port}"), ""] {
        for path in ["/", "/api/about", "/nothing"] {
            server.get_as(path, host).refused(403, "127.0.0.1");
        }
    }
    for host in [&format!("localhost:{port}"), "127.0.0.1:9", "[::1]:9"] {
        assert_eq!(server.get_as("/api/about", host).status, 200, "{host}");
    }
    let own = format!("origin: http://{}\r\n", server.address);
    for (headers, allowed) in [
        (own.as_str(), true),
        ("sec-fetch-site: same-origin\r\n", true),
        ("origin: http://evil.example\r\n", false),
        ("origin: http://localhost:3000\r\n", false),
        ("origin: null\r\n", false),
        ("sec-fetch-site: cross-site\r\n", false),
        ("sec-fetch-site: same-site\r\n", false),
        ("host: evil.example\r\n", false),
    ] {
        let answer = server.post_with("", headers, ASTRONAUT);
        assert_eq!(answer.status, if allowed { 200 } else { 403 }, "{headers}");
        assert!(!answer.head.contains("access-control-allow"), "{headers}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_but_loopback_listens() {
    let server = Server::start(&[]);
    let folder = format!("/proc/{}/fd", server.child.0.id());
    let sockets: Vec<String> = std::fs::read_dir(folder)
        .expect("its files")
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|to| {
            let to = to.to_str()?;
            Some(
                to.strip_prefix("socket:[")?
                    .trim_end_matches(']')
                    .to_owned(),
            )
        })
        .collect();
    let mut listening = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // IPv6 may be switched off.
        for line in std::fs::read_to_string(table).unwrap_or_default().lines() {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Local address, state (0A listens), inode.
            if let [_, local, _, "0A", _, _, _, _, _, inode, ..] = fields[..]
                && sockets.iter().any(|socket| socket == inode)
            {
                listening.push(local.to_owned());
            }
        }
    }
    assert_eq!(
        listening,
        [format!("0100007F:{:04X}", server.address.port())]
    );
}

#[test]
fn fifty_at_once_are_answered_or_told_to_come_back() {
    let server = Server::start(&[]);
    // 16 megapixels each: 48 MB once decoded, 2.4 GB if all of them were at once.
    let (side, mut photo) = (4000, Vec::new());
    JpegEncoder::new_with_quality(&mut photo, 80)
        .write_image(
            RgbImage::from_pixel(side, side, image::Rgb([90, 120, 150])).as_raw(),
            side,
            side,
            ExtendedColorType::Rgb8,
        )
        .expect("an image");
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| server.post("", &photo)))
            .collect();
        asking
            .into_iter()
            .map(|a| a.join().expect("an answer"))
            .collect()
    });
    let of = |status: u16| answers.iter().filter(|a| a.status == status).count();
    assert_eq!(of(200) + of(503), 50);
    assert!(of(200) >= 4, "{} of 50", of(200));
    for busy in answers.iter().filter(|a| a.status == 503) {
        busy.refused(503, "try again");
        assert!(busy.head.contains("retry-after: 1"), "{}", busy.head);
    }
    server.still_works();
    if let Some(most) = server.most_memory() {
        assert!(most < 1024, "{most} MiB");
    }
}

#[test]
fn who_dawdles_is_sent_away() {
    let server = Server::start(&["--upload-time", "1"]);
    let began = Instant::now();
    // The middle of a head, the middle of a body, a body that comes byte by byte.
    let mut head = server.connect();
    head.write_all(b"POST /api/predict HTTP/1.1\r\nhost: 127.")
        .expect("sent");
    let mut idle = server.connect();
    let request = |length: usize| {
        format!(
            "POST /api/predict HTTP/1.1\r\nhost: {}\r\ncontent-length: {length}\r\n\r\nsome",
            server.address
        )
    };
    server
        .send(request(1000).as_bytes())
        .refused(408, "1 seconds");
    for stream in [&mut head, &mut idle] {
        let mut rest = Vec::new();
        // An error says as much as the end does: it is closed.
        let _ = stream.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    assert!(began.elapsed() < Duration::from_secs(10), "{began:?}");
    // Who hangs up in the middle leaves nothing behind.
    for _ in 0..40 {
        let mut stream = server.connect();
        stream.write_all(request(1 << 20).as_bytes()).expect("sent");
    }
    server.still_works();
}

/// Who never reads is sent away, whoever reads is not.
#[test]
fn who_does_not_read_the_answer_is_sent_away() {
    let server = Server::start(&["--upload-time", "1"]);
    let file = "/astronaut.jpg";
    let one = server.get(file);
    assert_eq!(one.status, 200);
    // More than the system keeps for a connection, however much it allows: without reading, most of it stays with the server.
    let count = (64 << 20) / one.body.len();
    let whole = count * one.body.len();
    let get = format!("GET {file} HTTP/1.1\r\nhost: {}\r\n", server.address);
    let requests = format!("{get}\r\n").repeat(count - 1) + &get + "connection: close\r\n\r\n";
    let asking = || {
        let stream = server.connect();
        let mut writing = stream.try_clone().expect("a second handle");
        let requests = requests.clone();
        // From another thread, because the server takes no more requests than it has answered. It may hang up: that is what is tested.
        let sent = std::thread::spawn(move || {
            let _ = writing.write_all(requests.as_bytes());
        });
        (stream, sent)
    };
    let mut piece = vec![0; 1 << 20];
    let mut read_all = |mut stream: TcpStream| {
        let mut all = 0;
        while let Ok(read @ 1..) = stream.read(&mut piece) {
            all += read;
        }
        all
    };
    let (reader, sent) = asking();
    let taken = read_all(reader);
    assert!(taken > whole, "{taken} of {whole} bytes and their heads");
    sent.join().expect("it ends");

    let (sleeper, sent) = asking();
    std::thread::sleep(Duration::from_secs(3));
    let taken = read_all(sleeper);
    assert!(taken < whole, "{taken} of {whole} bytes after 3 seconds");
    sent.join().expect("it ends");
    server.still_works();
}

/// The network cannot be interrupted, but nobody has to wait for it.
#[test]
fn a_image_that_takes_too_long_is_told_and_the_next_are_answered() {
    // 32 boxes in 5 passes, beside one face in one: as long as 160 of those.
    let boxes = vec!["box=170,60,100,110"; 32].join("&");
    let heavy = format!("?passes=5&{boxes}");
    let patient = Server::start(&[]);
    let began = Instant::now();
    assert_eq!(patient.post(&heavy, ASTRONAUT).status, 200);
    let seconds = began.elapsed().as_secs_f64();
    drop(patient);

    let limit = format!("{:.6}", seconds / 4.0);
    let server = Server::start(&["--answer-time", &limit]);
    let answer = server.post(&heavy, ASTRONAUT);
    answer.refused(504, "--answer-time");
    assert_eq!(answer.json()["error"], "timeout");
    // The network is still at work on it; then it goes on.
    let began = Instant::now();
    while server.post("?box=170,60,100,110", ASTRONAUT).status != 200 {
        assert!(began.elapsed() < PATIENCE, "nothing is answered any more");
    }
}

#[test]
fn landmarks_that_are_not_of_faces_need_a_box() {
    let weights = with_layout_named(SHIPPED, "beetle");
    let server = Server::start_with(&[], &weights);
    assert_eq!(server.get("/api/about").json()["finds_faces"], false);
    server
        .post("", ASTRONAUT)
        .refused(422, "draw a box around it");
    let with = server.post("?box=170,60,100,110", ASTRONAUT);
    assert_eq!(with.json()["layout"], "beetle");
    assert_eq!(
        with.json()["faces"][0]["points"].as_array().map(Vec::len),
        Some(68)
    );
    let told = Server::start_with(&["--find-faces"], &weights);
    assert_eq!(told.post("", ASTRONAUT).status, 200);
    // No detector, no faces to be limited.
    let folder = Folder::new();
    folder.write("w", &weights);
    let serve = ["serve", "--port", "0", "--weights", "w", "--max-faces", "3"];
    let message = folder.fail(&serve);
    assert!(
        message.contains("--max-faces") && message.contains("`beetle`"),
        "{message}"
    );
}

#[test]
fn what_cannot_be_served_is_told_at_once() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    folder.write("w", SHIPPED);
    let port = server.address.port().to_string();
    let taken = folder.fail(&["serve", "--weights", "w", "--port", &port]);
    assert!(
        taken.contains(&port) && taken.contains("--port 0"),
        "{taken}"
    );
    let missing = folder.fail(&["serve", "--weights", "none", "--port", "0"]);
    assert!(missing.contains("none"), "{missing}");
}

/// Without weights it is the network that ships, and a person is told.
#[test]
#[cfg(unix)]
fn it_says_what_it_shows_and_ends_when_it_is_told() {
    let folder = Folder::new();
    let started = folder
        .command(&["serve", "--port", "0"])
        .stdout(Stdio::piped())
        .spawn();
    let mut ends = EndsWithTest(started.expect("star starts"));
    let child = &mut ends.0;
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let first = lines.next().expect("a line").expect("text");
    assert!(
        first.contains("weights: ibug68-small (") && first.contains("--weights"),
        "{first}"
    );
    let second = lines.next().expect("a line").expect("text");
    assert!(second.contains("http://127.0.0.1:"), "{second}");
    // SAFETY: our own child, which has not been waited for.
    unsafe {
        libc::kill(child.id() as i32, libc::SIGINT);
    }
    let status = child.wait().expect("it ends");
    assert!(status.success(), "{status}");
    assert_eq!(lines.next().expect("a line").expect("text"), "stopped");
}

//! Landmarks of the faces of a photo: `cargo run --release -p star-infer --example landmarks -- docs/astronaut.jpg`

use star_infer::{Flex, Landmarker, Pretrained};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("name a photo")?;
    let image = star_infer::decode_file(path.as_ref())?;
    let landmarker = Landmarker::<Flex>::pretrained(Pretrained::Ibug68Small, &Default::default())?;
    for face in landmarker.faces(&image)? {
        println!("score {:.2}, {} points", face.score, face.points.len());
        for (point, covariance) in face.points.iter().zip(&face.covariance) {
            println!("{:.1} {:.1}  {covariance:?}", point.x, point.y);
        }
    }
    Ok(())
}
